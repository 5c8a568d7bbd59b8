//! Keys of zones change: what is served is built anew with them, and what their parents say of them.
//!
//! Pure. It is told which keys, and decides nothing about them.

use crate::dns::name::Name;
use crate::world::zones::Keys;
use crate::world::{KeysPast, World};

impl World {
    /// Zones whose keys could not be used are tried again, those among them that are served unsigned meanwhile.
    pub fn thaw(&mut self) {
        for zone in self.zones.values_mut() {
            let is_bare = matches!(zone.keys, Keys::None) && zone.signed;
            if is_bare || matches!(zone.keys, Keys::Silent(_)) {
                zone.keys = Keys::Wanted;
            }
        }
        self.build();
    }

    /// Zones that wait for their first keys are tried again: those that this finding stops, and those that are served
    /// unsigned meanwhile.
    pub fn go_on(&mut self, code: &str) {
        for zone in self.zones.values_mut() {
            let waits = match &zone.keys {
                Keys::Silent(reason) => reason.code == code,
                Keys::None => zone.signed,
                Keys::Wanted | Keys::Loaded(_) => false,
            };
            if waits {
                zone.keys = Keys::Wanted;
            }
        }
        self.build();
    }

    /// What the keys of zones tell of their past is other than it was told before.
    pub fn know(&mut self, pasts: Vec<(Name, KeysPast)>) {
        for (apex, past) in pasts {
            if let Some(zone) = self.zones.get_mut(&apex) {
                zone.past = past;
            }
        }
    }

    /// Gives zones the keys that they use from now on.
    pub fn set_keys(&mut self, keys: Vec<(Name, Keys)>) {
        for (apex, keys) in keys {
            if let Some(zone) = self.zones.get_mut(&apex) {
                zone.keys = keys;
            }
        }
        self.build();
    }
}
