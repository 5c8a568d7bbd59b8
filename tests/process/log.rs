//! A log that cannot be written, or that nobody reads, costs lines of the log and nothing else.

use super::fixture::{number, until_new_tenant_is_served, until_served, world};
use crate::live::wire::{Ask, SOA};
use crate::live::{Running, World, mxseal};
use std::io::{PipeReader, PipeWriter, Read, Write, pipe};
use std::process::Stdio;
use std::time::Duration;

/// What a pipe of Linux holds (pipe(7)).
const PIPE_OCTETS: usize = 65_536;
const LOST: &str = "mxseal_log_lines_lost_total ";

/// Starts the server through a shell that runs `before` and redirects as `after` says.
fn start(world: &World, before: &str, after: &str) -> Running {
    let script = format!("{before} exec {} serve {after}", mxseal());
    world.start_saying("mxseal", "sh", &["-c", &script], [Stdio::null(), Stdio::null()])
}

/// Starts the server with its log in a pipe that holds `waiting` octets already.
fn start_piped(world: &World, waiting: usize) -> (Running, PipeReader) {
    let (reader, mut writer): (PipeReader, PipeWriter) = pipe().unwrap();
    writer.write_all(&vec![b'.'; waiting]).unwrap();
    (world.start_saying("mxseal", mxseal(), &["serve"], [Stdio::null(), writer.into()]), reader)
}

fn ends_well(server: &mut Running) {
    server.signal("TERM");
    assert_eq!(server.poll_code(), Some(0), "it drains and ends");
}

#[test]
fn a_reader_of_the_log_that_is_gone_ends_nothing() {
    let world = world();
    let (mut server, reader) = start_piped(&world, 0);
    until_served(&world, &mut server);
    drop(reader);
    world.write("zones/mail.test/broken.toml", "pool = 7\n");
    until_new_tenant_is_served(&world, &mut server, "first");
    server.poll_until("lost lines in the metrics", || number(&world, LOST).filter(|lost| *lost > 0));
    until_new_tenant_is_served(&world, &mut server, "second");
    ends_well(&mut server);
}

#[test]
fn a_log_on_a_full_disk_or_closed_from_the_start_ends_nothing() {
    for after in ["2>/dev/full", "2>&-", ">&- 2>&-"] {
        let world = world();
        let mut server = start(&world, "", after);
        until_served(&world, &mut server);
        until_new_tenant_is_served(&world, &mut server, "first");
        ends_well(&mut server);
    }
}

#[test]
fn a_limit_of_file_sizes_costs_what_cannot_be_written_and_nothing_else() {
    let world = world();
    let mut first = world.serve("mail.test.");
    ends_well(&mut first);
    // In blocks of 512 octets, as POSIX has it: the log has no room left, the journal's next fact would have some.
    world.write("full.log", &".".repeat(1023));
    let mut server = start(&world, "ulimit -f 2;", "2>>full.log");
    until_served(&world, &mut server);
    until_new_tenant_is_served(&world, &mut server, "first");
    server.poll_until("lost lines in the metrics", || number(&world, LOST).filter(|lost| *lost > 0));
    ends_well(&mut server);
    assert!(world.read("full.log").len() <= 1024);
}

#[test]
fn keys_that_cannot_be_written_for_a_limit_of_file_sizes_silence_their_zone_and_end_nothing() {
    let world = world();
    let mut server = start(&world, "ulimit -f 0;", "2>/dev/null");
    server.poll_until("SERVFAIL", || {
        let reply = Ask::of("mail.test.", SOA).once(world.at(0), Duration::from_millis(300))?;
        (reply.rcode == 2).then_some(())
    });
    ends_well(&mut server);
    let mut healed = world.serve("mail.test.");
    ends_well(&mut healed);
}

#[test]
fn a_reader_of_the_log_that_never_reads_holds_nothing_up() {
    let world = world();
    let (mut server, mut reader) = start_piped(&world, PIPE_OCTETS);
    until_served(&world, &mut server);
    for label in ["first", "second"] {
        world.write("zones/mail.test/broken.toml", &format!("pool = \"{label}\"\n"));
        until_new_tenant_is_served(&world, &mut server, label);
    }
    server.signal("HUP");
    until_new_tenant_is_served(&world, &mut server, "third");
    ends_well(&mut server);
    drop(server);
    // Nothing of it was written, and the end did not wait for that.
    let mut text = String::new();
    reader.read_to_string(&mut text).unwrap();
    assert_eq!(text, ".".repeat(PIPE_OCTETS));
}

#[test]
fn a_reader_that_comes_back_is_told_everything_that_waited() {
    let world = world();
    let (mut server, mut reader) = start_piped(&world, PIPE_OCTETS);
    until_served(&world, &mut server);
    let reading = std::thread::spawn(move || {
        let mut text = String::new();
        reader.read_to_string(&mut text).unwrap();
        text
    });
    ends_well(&mut server);
    drop(server);
    let text = reading.join().unwrap();
    assert!(text.contains("answering on") && text.ends_with("ended\n"), "{}", text.trim_start_matches('.'));
}

#[test]
fn no_name_of_a_file_forges_a_line_of_the_log_or_moves_a_cursor() {
    let world = world();
    let mut server = world.serve("mail.test.");
    let name = "x\nERROR forged \u{1b}[2J\u{9b}1m\u{202e}";
    world.write(&format!("zones/mail.test/{name}/broken.toml"), "pool = 7\n");
    server.poll_until("the finding in the log", || world.read("mxseal.log").contains("broken.toml").then_some(()));
    for form in ["table", "json"] {
        let said = world.run(mxseal(), &["status", "-o", form]);
        let said = String::from_utf8(said.stdout).unwrap();
        assert!(said.contains("broken.toml"), "{said}");
        let acting = |c: char| c != '\n' && (c.is_control() || c == '\u{202e}');
        assert!(!said.lines().any(|line| line.starts_with("ERROR forged")) && !said.contains(acting), "{said:?}");
    }
    let log = server.log();
    assert!(!log.lines().any(|line| line.starts_with("ERROR forged")), "{log}");
    assert!(!log.contains(['\u{1b}', '\u{9b}', '\u{202e}']), "{log:?}");
}
