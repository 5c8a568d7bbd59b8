//! Runs a test in a process of its own: what it does to itself must not reach the other tests.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Names the task of a child process.
const TASK: &str = "MXSEAL_OPS_TASK";
/// Longest wait for anything in these tests; reached only where something is broken.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// The task, in a child process.
pub fn task() -> Option<String> {
    std::env::var(TASK).ok()
}

/// Runs `test` of this binary alone, with a task and further variables.
pub fn run(test: &str, task: &str, variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    command.args(["--exact", test, "--nocapture", "--test-threads=1"]).env(TASK, task).stdin(Stdio::null());
    command.envs(variables.iter().copied()).output().expect("the child runs")
}

/// As [`run`]; the child must end well.
pub fn must_pass(test: &str, task: &str, variables: &[(&str, &str)]) -> String {
    let output = run(test, task, variables);
    let text = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{task}: {}\n{text}", output.status);
    assert!(text.contains("1 passed"), "{test} is not a test of this binary:\n{text}");
    text
}

/// Polls until `condition` holds.
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
