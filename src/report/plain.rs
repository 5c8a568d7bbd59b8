//! What the core says of keys, as plain values of the protocol.
//!
//! Pure. The core and the protocol do not know each other; the words of both are the same, and tests hold them to that.

use crate::cert::{KeyClass, KeyKind};
use crate::diagnostic::Severity;
use crate::protocol::{CertKeyClass, CertKeyKind, CertKeyOrigin, FindingSeverity, KeyPhase, KeyRole};
use crate::roll::hosts::facts::Origin;
use crate::roll::life::phase::Phase;
use crate::sign::key::Role;

impl From<Phase> for KeyPhase {
    fn from(phase: Phase) -> KeyPhase {
        match phase {
            Phase::Staged => KeyPhase::Staged,
            Phase::Rumoured => KeyPhase::Rumoured,
            Phase::Ready => KeyPhase::Ready,
            Phase::Active => KeyPhase::Active,
            Phase::Retiring => KeyPhase::Retiring,
            Phase::Removed => KeyPhase::Removed,
            Phase::Destroyed => KeyPhase::Destroyed,
        }
    }
}

impl From<Role> for KeyRole {
    fn from(role: Role) -> KeyRole {
        match role {
            Role::Csk => KeyRole::Csk,
            Role::Ksk => KeyRole::Ksk,
            Role::Zsk => KeyRole::Zsk,
        }
    }
}

/// The role that somebody wrote; none: a word that only another version knows.
pub fn role(written: KeyRole) -> Option<Role> {
    match written {
        KeyRole::Csk => Some(Role::Csk),
        KeyRole::Ksk => Some(Role::Ksk),
        KeyRole::Zsk => Some(Role::Zsk),
        KeyRole::Unknown => None,
    }
}

impl From<Origin> for CertKeyOrigin {
    fn from(origin: Origin) -> CertKeyOrigin {
        match origin {
            Origin::Made => CertKeyOrigin::Made,
            Origin::Staged => CertKeyOrigin::Staged,
            Origin::File => CertKeyOrigin::File,
            Origin::Given => CertKeyOrigin::Given,
            Origin::Host => CertKeyOrigin::Host,
            Origin::Adopted => CertKeyOrigin::Adopted,
            Origin::Seen => CertKeyOrigin::Seen,
        }
    }
}

impl From<KeyKind> for CertKeyKind {
    fn from(kind: KeyKind) -> CertKeyKind {
        match kind {
            KeyKind::Rsa => CertKeyKind::Rsa,
            KeyKind::EcdsaP256 => CertKeyKind::EcdsaP256,
            KeyKind::EcdsaP384 => CertKeyKind::EcdsaP384,
            KeyKind::EcdsaP521 => CertKeyKind::EcdsaP521,
            KeyKind::Ed25519 => CertKeyKind::Ed25519,
            KeyKind::RsaPss => CertKeyKind::RsaPss,
            KeyKind::Other => CertKeyKind::Other,
        }
    }
}

impl From<KeyClass> for CertKeyClass {
    fn from(class: KeyClass) -> CertKeyClass {
        match class {
            KeyClass::Rsa => CertKeyClass::Rsa,
            KeyClass::Ecdsa => CertKeyClass::Ecdsa,
            KeyClass::Ed25519 => CertKeyClass::Ed25519,
        }
    }
}

impl From<Severity> for FindingSeverity {
    fn from(severity: Severity) -> FindingSeverity {
        match severity {
            Severity::Error => FindingSeverity::Error,
            Severity::Warning => FindingSeverity::Warning,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cert::Spki;
    use crate::protocol::Verb;
    use crate::roll::{hosts, zone};

    #[test]
    fn words_of_the_core_and_of_reports_are_the_same() {
        for phase in Phase::ALL {
            assert_eq!(KeyPhase::from(phase).to_string(), phase.word());
        }
        for written in [Role::Csk, Role::Ksk, Role::Zsk] {
            assert_eq!(KeyRole::from(written).to_string(), written.word());
            assert_eq!(role(written.into()), Some(written));
        }
        use KeyKind::{EcdsaP256, EcdsaP384, EcdsaP521, Ed25519, Other, Rsa, RsaPss};
        for kind in [Rsa, EcdsaP256, EcdsaP384, EcdsaP521, Ed25519, RsaPss, Other] {
            assert_eq!(CertKeyKind::from(kind).to_string(), kind.word());
        }
        for class in [KeyClass::Rsa, KeyClass::Ecdsa, KeyClass::Ed25519] {
            assert_eq!(CertKeyClass::from(class).to_string(), class.word());
        }
    }

    #[test]
    fn each_step_has_a_verb_that_reports_know() {
        use zone::step::Step;
        let create = Step::Create { role: Role::Csk, algorithm: 13 };
        let (switch, retire) = (Step::Switch { from: 1, to: 2 }, Step::Retire(vec![1], String::new()));
        let one = [Step::Publish(1), Step::Sign(1), Step::Remove(1), Step::StopSigning(1), Step::Destroy(1)];
        for step in one.into_iter().chain([create, switch, retire, Step::WantDs(vec![1]), Step::Unsign]) {
            assert_eq!(Verb::of(zone::words::verb(&step)).to_string(), zone::words::verb(&step));
        }
        use hosts::step::Step as HostStep;
        let spki = Spki::of(b"a key");
        let keys = [HostStep::Create(KeyKind::Rsa), HostStep::Withdraw(spki), HostStep::Destroy(spki)];
        let sets = [HostStep::Publish([spki].into()), HostStep::Admit([].into())];
        for step in keys.into_iter().chain(sets) {
            assert_eq!(Verb::of(hosts::words::verb(&step)).to_string(), hosts::words::verb(&step));
        }
        assert_eq!(Verb::of("of the future"), Verb::Unknown);
    }
}
