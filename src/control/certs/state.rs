//! A pool as reports are told of it: what is known of it as a value.

use super::PoolLife;
use crate::report::certs::{Folder, PoolState};

impl PoolLife {
    /// What reports about it are made from.
    pub fn state<'a>(&'a self, pool: &'a str) -> PoolState<'a> {
        let folder = Folder { unreadable: &self.unreadable, exposed: &self.slots.exposed, strays: &self.slots.strays };
        PoolState { pool, hosts: self.seen(), certificates: &self.certificates, ills: self.ills(), folder }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cert::make::PrivateKey;
    use crate::cert::{KeyKind, Spki, chain};
    use crate::control::life::InTheWay;
    use crate::diagnostic::Diagnostic;
    use crate::protocol::{CertInfo, CertPlan, Verb};
    use crate::report::certs::calendar::cert_plan;
    use crate::report::certs::findings::{Expected, findings};
    use crate::report::certs::{Around, cert_info};
    use crate::roll::hosts::facts::{Fact, Origin};
    use crate::store::Store;
    use crate::time::{Clocks, Now, UnixTime};

    const NOW: UnixTime = UnixTime(1_800_000_000);
    const DAY: u64 = 86_400;

    fn by_all(signing: UnixTime) -> Now {
        Now { signing, ..Now::read() }
    }

    /// A pool of one key, whose TLSA is served for an hour, with a certificate for some days from now on.
    fn life(folder: &std::path::Path, days: u32, wall: UnixTime) -> PoolLife {
        let store = Store::open(folder).expect("a store");
        let began = Fact::PoolBegan { from: None, to: None };
        let journal = store.create_pool_journal("eu", began, NOW.before(3600)).expect("a journal");
        let mut life = PoolLife::with(journal, Vec::new(), by_all(NOW));
        let key = PrivateKey::generate(KeyKind::EcdsaP256).expect("a key");
        let pem = key.self_signed(&["mx.example".to_owned()], wall, days).expect("a certificate");
        let leaf = chain::parse_pem(pem.as_bytes()).expect("a chain").leaf;
        let (spki, kind) = (key.spki(), Some(key.kind()));
        for fact in [
            Fact::KeyKnown { spki, kind, origin: Origin::File, file: String::new() },
            Fact::Named { current: vec![spki], given: Vec::new(), hosts: None },
            Fact::Tlsa { keys: vec![spki] },
        ] {
            assert!(life.record(fact, by_all(NOW.before(3600))), "{:?}", life.unrecorded());
        }
        life.wanted.current.insert(spki, key.kind());
        life.certificates.push(("eu.pem".to_owned(), leaf));
        life
    }

    fn told(life: &PoolLife, clocks: Clocks) -> CertInfo {
        let plan = life.decide(&InTheWay::default(), clocks.signing);
        cert_info(&life.state("eu"), &plan, &Around { snapshot: 1, tenants: 0, names: &[], clock: "", clocks })
    }

    fn calendar(life: &PoolLife, clocks: Clocks) -> CertPlan {
        let (plan, conditions) =
            (life.decide(&InTheWay::default(), clocks.signing), life.conditions(&InTheWay::default(), clocks.signing));
        cert_plan(&life.state("eu"), &plan, &conditions, 120, clocks)
    }

    fn found(life: &PoolLife, clocks: Clocks) -> Vec<Diagnostic> {
        let expected = Expected { names: &[], webpki: false };
        findings(&life.state("eu"), "pools.toml", life.plan.as_ref(), expected, clocks)
    }

    #[test]
    fn moments_are_told_by_the_wall_clock_as_those_of_zone_keys_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let clocks = Clocks::apart(NOW, 100 * i64::try_from(DAY).expect("a day"));
        let life = life(folder.path(), 90, clocks.wall);
        let info = told(&life, clocks);
        assert_eq!((info.now, info.keys[0].published), (clocks.wall.0, Some(clocks.wall.0 - 3600)));
        assert!(info.story.done.iter().all(|done| done.at == clocks.wall.0 - 3600), "{:?}", info.story.done);
        let plan = calendar(&life, clocks);
        assert_eq!((plan.calendar.from, plan.calendar.until), (clocks.wall.0, clocks.wall.0 + 120 * DAY));
        assert_eq!(plan.calendar.bars[0].phases[0].0, clocks.wall.0 - 3600);
        let renewals: Vec<u64> =
            plan.calendar.steps.iter().filter(|step| step.verb == Verb::Renew).map(|step| step.at).collect();
        assert_eq!(
            renewals,
            [60, 90].map(|days| clocks.wall.0 + days * DAY),
            "a certificate is written by the wall clock"
        );
    }

    #[test]
    fn a_certificate_has_expired_for_all_reports_at_one_moment() {
        let folder = tempfile::tempdir().expect("a folder");
        let clocks = Clocks::apart(NOW, 100 * i64::try_from(DAY).expect("a day"));
        let life = life(folder.path(), 90, NOW);
        let (info, plan) = (told(&life, clocks), calendar(&life, clocks));
        let findings = found(&life, clocks);
        assert_eq!(info.certificates[0].warnings, ["it has expired"]);
        assert!(findings.iter().any(|finding| finding.message.contains("has expired")), "{findings:?}");
        assert!(!plan.calendar.steps.iter().any(|step| step.verb == Verb::Renew), "{:?}", plan.calendar.steps);
    }

    #[test]
    fn a_fact_that_contradicts_earlier_ones_is_no_fault_of_the_disk() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut life = life(folder.path(), 90, NOW);
        assert!(!life.record(Fact::KeyDestroyed { spki: Spki::of(b"never known") }, by_all(NOW)));
        assert_eq!(life.disk, None);
        let texts = |info: &CertInfo| format!("{:?} {:?}", info.story.blockers, info.story.must);
        let info = told(&life, Clocks::from(NOW));
        assert!(
            texts(&info).contains("a fact is not recorded") && !texts(&info).contains("repair the disk"),
            "{info:?}"
        );
        let findings = found(&life, Clocks::from(NOW));
        let count = |code: &str| findings.iter().filter(|finding| finding.code == code).count();
        assert_eq!(count("MX5616"), 1, "{findings:?}");
        assert!(!findings.iter().any(|finding| finding.help.contains("repair the disk")), "{findings:?}");
        life.learn(by_all(NOW));
        assert_eq!(life.refused, None, "it is tried again when files are read");
    }

    #[test]
    fn a_disk_that_refuses_is_told_also_where_the_plan_was_made_before() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut life = life(folder.path(), 90, NOW);
        life.plan = Some(life.decide(&InTheWay::default(), NOW));
        life.disk = Some("no space left".to_owned());
        let findings = found(&life, Clocks::from(NOW));
        let told = findings.iter().filter(|finding| finding.message.contains("no space left")).count();
        assert_eq!(told, 1, "{findings:?}");
    }
}
