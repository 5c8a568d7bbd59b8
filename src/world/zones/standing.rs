//! How a zone stands, and why it gets no answer where it does not.
//!
//! Pure.

use crate::diagnostic::{Diagnostic, Severity};
use crate::protocol::ZoneStanding;
use crate::world::zones::{Keys, ZoneState};

impl ZoneState {
    /// How it stands by its file and its keys, be they frozen or not.
    pub fn standing(&self) -> ZoneStanding {
        match (&self.keys, &self.content) {
            _ if self.covered.is_some() => ZoneStanding::Waiting,
            (Keys::Silent(_) | Keys::Wanted, _) | (_, None) => ZoneStanding::Silent,
            (_, Some(_)) if self.is_last_good() => ZoneStanding::LastGood,
            (_, Some(_)) => ZoneStanding::Serving,
        }
    }

    /// Why its names get SERVFAIL; none where it is served.
    pub fn why_not_served(&self) -> Option<String> {
        let reason = match (&self.keys, &self.content) {
            (Keys::None | Keys::Loaded(_), Some(_)) => return None,
            (Keys::Silent(reason), _) => reason.one_line(),
            (Keys::None | Keys::Wanted | Keys::Loaded(_), _) => {
                let error = self.findings().into_iter().find(|finding| finding.severity == Severity::Error);
                error.map(|finding| finding.one_line()).unwrap_or_default()
            }
        };
        Some(format!("zone {} is {}: {reason}", self.apex, self.standing()))
    }

    /// The code of the reason why it is silent; none: it is not, or no finding says why.
    pub fn code_of_silence(&self) -> Option<&'static str> {
        if let Keys::Silent(reason) = &self.keys {
            return Some(reason.code);
        }
        let is_error = |finding: &Diagnostic| finding.severity == Severity::Error;
        self.findings().into_iter().find(is_error).map(|finding| finding.code)
    }

    /// Findings about its keys alone.
    pub fn key_findings(&self) -> &[Diagnostic] {
        match &self.keys {
            Keys::Silent(reason) => std::slice::from_ref(reason),
            Keys::Loaded(set) => &set.findings,
            Keys::None | Keys::Wanted => &[],
        }
    }
}
