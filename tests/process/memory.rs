//! Files that would take more memory than there is cost their own zones and nothing else.

use super::fixture::{until_new_tenant_is_served, until_served, world};
use crate::live::{Running, World, mxseal};

/// Octets of address space: with the threads of a server, a quarter of it is free.
const ADDRESSES: &str = "--as=1073741824";
/// 262,144 records in a few lines.
const BOMB: &str = "$TTL 300\n@ SOA ns1 hostmaster 1 3600 600 604800 300\n@ NS ns1\nns1 A 192.0.2.1\n\
                    $GENERATE 0-65535 a$ A 192.0.2.1\n$GENERATE 0-65535 b$ A 192.0.2.1\n\
                    $GENERATE 0-65535 c$ A 192.0.2.1\n$GENERATE 0-65535 d$ A 192.0.2.1\n";
const BOMBS: usize = 20;

fn start(world: &World) -> Running {
    let mut server = world.start("mxseal", "prlimit", &[ADDRESSES, mxseal(), "serve"]);
    until_served(world, &mut server);
    server
}

#[test]
fn twenty_files_of_a_quarter_of_a_million_records_each_end_nothing_with_a_gigabyte_of_addresses() {
    let world = world();
    let mut server = start(&world);
    for round in ["while it runs", "after a restart"] {
        for i in 0..BOMBS {
            world.write(&format!("zones/bomb{i}.test.zone"), BOMB);
        }
        until_new_tenant_is_served(&world, &mut server, &round.replace(' ', "-"));
        server.poll_until("a finding for each", || {
            let status = world.run(mxseal(), &["status", "-o", "json"]);
            let text = String::from_utf8_lossy(&status.stdout).into_owned();
            (text.matches("\"MX2015\"").count() == BOMBS).then_some(())
        });
        server.signal("TERM");
        assert_eq!(server.poll_code(), Some(0), "{round}: {}", server.log());
        server = start(&world);
    }
    assert!(server.log().contains("(RLIMIT_AS)"), "{}", server.log());
}

#[test]
fn a_file_of_pools_that_has_no_end_does_not_hold_up_the_start() {
    for make in ["mkfifo zones/pools.toml", "ln -s /dev/zero zones/pools.toml"] {
        let world = world();
        world.remove("zones/pools.toml");
        world.said("sh", &["-c", make]);
        let mut server = world.serve("mail.test.");
        world.remove("zones/pools.toml");
        world.write("zones/pools.toml", "[p]\naddresses = [\"192.0.2.25\"]\n");
        until_new_tenant_is_served(&world, &mut server, "first");
    }
}
