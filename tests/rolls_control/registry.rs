//! Zones below a registry: a second server plays its part, and a person copies the DS.

use crate::judge::{Judge, configure, master, policy, status, tags};
use crate::live::{World, mxseal};

#[test]
fn a_ksk_roll_at_a_registry_waits_for_the_ds_and_then_for_the_caches_that_hold_the_old_one() {
    let (registry, world) = (World::new(), World::new());
    configure(
        &registry,
        &format!("[zone.\"example\"]\npolicy = \"top\"\nparents = [\"{{ip}}:5399\"]\n{}", policy("top", "")),
    );
    let delegation = "mx NS ns.mx\nns.mx A 192.0.2.54\n";
    registry.write("zones/example.zone", &master("example", delegation));
    let _registry = registry.serve("example");
    world.write("anchors.txt", &registry.ds("example"));
    let parents = format!("[zone.\"mx.example\"]\npolicy = \"top\"\nparents = [\"{}\"]\n", registry.at(0));
    let top = policy("top", "keys = \"ksk+zsk\"\nzsk_lifetime = \"unlimited\"\n");
    configure(&world, &format!("[rolls]\nanchors = \"anchors.txt\"\n{parents}{top}"));
    world.write("zones/mx.example.zone", &master("mx.example", ""));
    let mut server = world.serve("mx.example");
    let publish_ds =
        || registry.write("zones/example.zone", &master("example", &format!("{delegation}{}", world.ds("mx.example"))));
    publish_ds();
    server.poll_until("the first DS", || {
        let status = status(&world, "mx.example");
        (status["parent_servers"][0]["ds"] == status["ds_wanted"]).then_some(())
    });
    let judge = Judge::below(registry.at(0), world.at(0), "mx.example");
    let old = status(&world, "mx.example")["ds_wanted"].clone();
    world.said(mxseal(), &["keys", "roll", "mx.example", "--role", "ksk"]);
    server.poll_until("the wish for a new DS", || (status(&world, "mx.example")["ds_wanted"] != old).then_some(()));
    let must = status(&world, "mx.example")["must"].to_string();
    assert!(must.contains("registry"), "{must}");
    publish_ds();
    // How long the first DS may be held is not known: it was wanted before it was seen.
    let until = server.poll_until("the wait for caches", || {
        let status = status(&world, "mx.example");
        let waits = status["waits"].as_array().cloned().unwrap_or_default();
        waits.iter().find(|wait| wait["verb"] == "remove").and_then(|wait| wait["until"].as_u64())
    });
    assert!(until > mxseal::time::now().0 + 29 * 86_400, "{until}");
    let status = status(&world, "mx.example");
    assert!(status["must"].as_array().is_some_and(Vec::is_empty), "{status}");
    assert_eq!(tags(&status, &["removed"]).len(), 0);
    assert!(judge.ended() > 100);
}
