//! Zones below a registry: a second server plays its part, and a person copies the DS.

use crate::judge::{Judge, configure, master, name, policy, status, tags};
use crate::live::{PATIENCE, Running, World, mxseal};
use std::net::UdpSocket;

const DELEGATION: &str = "mx NS ns.mx\nns.mx A 192.0.2.54\n";

/// A registry with the zone `example`, of which `more` is a part, and a server of `mx.example` that has its DS there.
struct Worlds {
    registry: World,
    world: World,
    more: String,
    server: Running,
    _registry: Running,
}

impl Worlds {
    fn start(registry: World, more: &str) -> Worlds {
        let (world, more) = (World::new(), format!("{DELEGATION}{more}"));
        let zone = "[zone.\"example\"]\npolicy = \"top\"\nparents = [\"{ip}:5399\"]\n";
        configure(&registry, &format!("{zone}{}", policy("top", "")));
        registry.write("zones/example.zone", &master("example", &more));
        let _registry = registry.serve("example");
        world.write("anchors.txt", &registry.ds("example"));
        let parents = format!("[zone.\"mx.example\"]\npolicy = \"top\"\nparents = [\"{}\"]\n", registry.at(0));
        let top = policy("top", "keys = \"ksk+zsk\"\nzsk_lifetime = \"unlimited\"\n");
        configure(&world, &format!("[rolls]\nanchors = \"anchors.txt\"\n{parents}{top}"));
        world.write("zones/mx.example.zone", &master("mx.example", ""));
        let server = world.serve("mx.example");
        let mut worlds = Worlds { registry, world, more, server, _registry };
        worlds.publish_ds();
        worlds.server.poll_until("the first DS", || {
            let status = status(&worlds.world, "mx.example");
            (status["parent_servers"][0]["ds"] == status["ds_wanted"]).then_some(())
        });
        worlds
    }

    fn publish_ds(&self) {
        let ds = self.world.ds("mx.example");
        self.registry.write("zones/example.zone", &master("example", &format!("{}{ds}", self.more)));
    }
}

#[test]
fn a_ksk_roll_at_a_registry_waits_for_the_ds_and_then_for_the_caches_that_hold_the_old_one() {
    let mut worlds = Worlds::start(World::new(), "");
    let judge = Judge::below(worlds.registry.at(0), worlds.world.at(0), "mx.example");
    let old = status(&worlds.world, "mx.example")["ds_wanted"].clone();
    worlds.world.said(mxseal(), &["keys", "roll", "mx.example", "--role", "ksk"]);
    worlds.server.poll_until("the wish for a new DS", || {
        (status(&worlds.world, "mx.example")["ds_wanted"] != old).then_some(())
    });
    let must = status(&worlds.world, "mx.example")["must"].to_string();
    assert!(must.contains("registry"), "{must}");
    worlds.publish_ds();
    // How long the first DS may be held is not known: it was wanted before it was seen.
    let until = worlds.server.poll_until("the wait for caches", || {
        let status = status(&worlds.world, "mx.example");
        let waits = status["waits"].as_array().cloned().unwrap_or_default();
        waits.iter().find(|wait| wait["verb"] == "remove").and_then(|wait| wait["until"].as_u64())
    });
    assert!(until > mxseal::time::now().0 + 29 * 86_400, "{until}");
    let status = status(&worlds.world, "mx.example");
    assert!(status["must"].as_array().is_some_and(Vec::is_empty), "{status}");
    assert_eq!(tags(&status, &["removed"]).len(), 0);
    assert!(judge.ended() > 100);
}

#[test]
fn whom_the_registry_names_is_told_that_another_ds_is_wanted() {
    let registry = World::new();
    let receiver = UdpSocket::bind((registry.ip, 0)).unwrap();
    receiver.set_read_timeout(Some(PATIENCE)).unwrap();
    let port = receiver.local_addr().unwrap().port();
    let (ip, dsync) = (registry.ip, "mx._dsync DSYNC CDS NOTIFY");
    let worlds = Worlds::start(registry, &format!("{dsync} {port} scanner\nscanner A {ip}\n"));
    worlds.world.said(mxseal(), &["keys", "roll", "mx.example", "--role", "ksk"]);
    let mut octets = [0; 1500];
    let (length, from) = receiver.recv_from(&mut octets).unwrap();
    // Opcode NOTIFY, and the child's CDS as the question (RFC 9859 § 4.2).
    assert_eq!(octets[2] & 0xf8, 0x20);
    assert_eq!(octets[12..28], [&*name("mx.example."), &[0, 59, 0, 1]].concat());
    octets[2] |= 0x80;
    receiver.send_to(&octets[..length], from).unwrap();
    let mut server = worlds.server;
    let log = server.poll_until("its answer", || {
        let log = server_log(&worlds.world);
        log.contains("told of new CDS (RFC 9859)").then_some(log)
    });
    assert!(log.contains("scanner.example."), "{log}");
}

fn server_log(world: &World) -> String {
    world.read("mxseal.log")
}
