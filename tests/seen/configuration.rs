//! A configuration that is broken while the server is well: whoever asks the server gets an answer, and is told of the file.

use crate::server::*;
use serde_json::Value;
use std::fs;
use std::process::Command;

/// Commands that ask the server and nothing else.
const ASKING: [&[&str]; 8] = [
    &["zone", "list"],
    &["zone", "show", "a.mx.example"],
    &["zone", "ds", "a.mx.example"],
    &["tenant", "list"],
    &["tenant", "mx", "x.example"],
    &["pool", "show", "eu"],
    &["keys", "plan"],
    &["explain", "x-example.a.mx.example", "A"],
];

/// All of them answer, and say on standard error what is wrong with the file.
#[track_caller]
fn all_answer(server: &Server, reason: &str) {
    for command in ASKING {
        let ran = server.run(command).ends(0);
        assert!(
            !ran.out.is_empty() && ran.err.contains(reason) && ran.err.contains("warning: "),
            "{command:?}: {}",
            ran.err
        );
    }
    let status = server.run(&["status"]).ends(1);
    assert!(status.out.contains("a.mx.example.") && status.err.contains(reason), "{}", status.err);
    let json = server.run(&["-o", "json", "status"]).ends(1);
    let warning: Value = serde_json::from_str(&json.err).expect("one object");
    assert!(warning["warning"].is_string() && warning["exit"].is_null(), "{warning}");
    assert!(serde_json::from_str::<Value>(&json.out).expect("one object")["zones"].is_array());
}

#[test]
fn commands_that_only_ask_answer_whatever_is_wrong_with_the_file() {
    let server = Server::started();
    for (text, reason) in
        [("version = 1\nlisten = [\n", "not TOML"), ("version = 2\n", "version"), ("version = 1\n[servre]\n", "servre")]
    {
        server.write("mxseal.toml", text);
        all_answer(&server, reason);
        server.run(&["tenant", "add", "y.example", "--pool", "eu"]).ends(1).says(reason);
    }
    server.remove("mxseal.toml");
    all_answer(&server, "cannot be read");
    // Root may read everything; a folder nobody can read as a file.
    fs::create_dir(server.path("mxseal.toml")).expect("made");
    all_answer(&server, "cannot be read");
}

#[test]
fn a_broken_line_of_keys_is_named_and_no_other_server_is_asked() {
    let server = Server::started();
    for line in ["keys = 7", "keys = \"elsewhere", "keys elsewhere"] {
        server.write("mxseal.toml", format!("version = 1\n{line}\n"));
        let ran = server.run(&["status"]).ends(1);
        assert!(ran.out.is_empty() && ran.err.contains("mxseal.toml:2"), "{}", ran.err);
        assert!(ran.err.contains("nobody knows where the control socket is"), "{}", ran.err);
    }
}

#[test]
fn the_socket_is_where_the_file_says_also_from_elsewhere() {
    let mut server = Server::prepared();
    let text = fs::read_to_string(server.path("mxseal.toml")).expect("read");
    let text = text.replacen("version = 1", "version = 1\nkeys = \"secrets\"", 1);
    server.write("mxseal.toml", &text);
    server.start();
    server.eventually("x-example", EU);
    server.write("mxseal.toml", text + "[servre]\n");
    all_answer(&server, "servre");
    // Where no server is, the file is what is wrong.
    server.write("other/mxseal.toml", "version = 1\n[servre]\n");
    let mut command = Command::new(env!("CARGO_BIN_EXE_mxseal"));
    let ran = command.current_dir(server.path("other")).arg("status").output().expect("the command runs");
    let said = String::from_utf8_lossy(&ran.stderr).into_owned();
    assert!(ran.status.code() == Some(1) && said.contains("servre") && said.contains("error: "), "{said}");
}
