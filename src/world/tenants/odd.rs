//! What is odd about a file of tenants: why it, or an entry of it, is not served as it is written.
//!
//! Pure.

use crate::diagnostic::Diagnostic;
use crate::world::tenants::claims::WAITS_FOR_POOL;
use crate::world::tenants::is_anyones;
use crate::zone::tenant::Definition;

/// What is odd about a file.
#[derive(Default)]
pub(crate) struct Odd {
    /// Why the whole file is not used as it is; empty: it is only counted.
    pub(crate) fault: Option<Box<[Diagnostic]>>,
    pub(crate) waiting: Vec<Waiting>,
    /// Warnings about it; empty: they are only counted.
    pub(crate) warnings: Option<Box<[Diagnostic]>>,
}

/// An entry that is not served as it is written.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Its domain, where that could be read.
    pub domain: Option<String>,
    /// The entry, where it is good by itself and only its name is taken or its pool missing.
    pub definition: Option<Definition>,
    /// Why; empty: it is only counted.
    pub reasons: Box<[Diagnostic]>,
    /// See [`is_anyones`].
    is_anyones: bool,
    /// Whether its pool is broken.
    waits_for_pool: bool,
}

impl Waiting {
    pub(crate) fn new(domain: Option<String>, definition: Option<Definition>, reasons: Vec<Diagnostic>) -> Waiting {
        let is_anyones = is_anyones(domain.as_deref(), &reasons);
        let waits_for_pool = reasons.iter().any(|reason| reason.code == WAITS_FOR_POOL);
        Waiting { domain, definition, reasons: reasons.into(), is_anyones, waits_for_pool }
    }

    /// The pool that it waits for, which is broken.
    pub(crate) fn waits_for(&self) -> Option<&str> {
        self.definition.as_ref().filter(|_| self.waits_for_pool)?.pool.as_deref()
    }

    /// Whether it may stand for any tenant of its file.
    pub(crate) fn is_anyones(&self) -> bool {
        self.is_anyones
    }
}
