//! Takes in one file of the provisioning folder, once its writer has finished.
//!
//! A file that somebody has open for writing is never taken in, however long it is quiet: the part that is there would be
//! served as if it were all. Only tenants one a line may be added meanwhile, where nothing that was there before is gone.

use crate::feed::read;
use crate::feed::read::{Content, admit, identity};
use crate::feed::settle;
use crate::feed::settle::{HELD_MAX, Hint, Identity, Known, Moment, Settling, Verdict, decide};
use crate::feed::wait::settling;
use crate::feed::{DELIVERED, Entry, FORGOTTEN, File, Files, Found};
use crate::world::paths::{FILES_MAX, Kind};
use crate::world::trouble::{Reason, Trouble};
use ring::digest;
use std::fs::Metadata;
use std::hash::BuildHasher;
use std::path::PathBuf;
use std::time::Instant;

impl Files {
    /// Looks at a file with a name of ours; `meta` is that of a link's target.
    pub(super) fn file(&mut self, path: &str, kind: Kind, meta: &Metadata, hint: Hint, now: Moment, out: &mut Found) {
        if let Err(reason) = admit(meta, kind) {
            return self.trouble(path, reason, out);
        }
        if meta.len() > self.batch_octets_max {
            return self.trouble(path, Reason::TooLarge(self.batch_octets_max), out);
        }
        self.see(path);
        let seen = identity(meta);
        let print = self.print(&seen);
        let entry = self.entries.get(path).filter(|entry| entry.flags & DELIVERED != 0 || entry.identity != 0);
        let known = entry.map(|entry| Known { same: entry.identity == print, size: entry.size });
        let waiting = self.settling.get(path).copied();
        let (verdict, writer) = match decide(&seen, known, waiting.as_ref(), hint, now) {
            Verdict::Held(since) if kind == Kind::Tenants => {
                let waiting = waiting.map(|waiting| Settling { writer: None, ..waiting });
                (decide(&seen, known, waiting.as_ref(), hint.min(Hint::Touched), now), Some(since))
            }
            // The kernel knows better than events who has it open: one of them may not have been heard.
            Verdict::Held(_) if read::is_written(&self.real.join(path)) == Some(false) => {
                (decide(&seen, known, None, Hint::Closed, now), None)
            }
            verdict => (verdict, None),
        };
        match verdict {
            Verdict::Same => {
                self.settling.remove(path);
                if self.trouble_of(path) != Reason::LineTooLong.number() {
                    self.heal(path, out);
                }
            }
            Verdict::Wait(settling) => self.wait(path, Settling { writer, ..settling }, now),
            Verdict::Held(since) => self.held(path, &seen, since, now, out),
            Verdict::Read if self.is_too_much(seen.size, out) => {
                self.wait(path, Settling { writer, ..settling(Some(seen), now) }, now);
            }
            Verdict::Read => self.read(path, kind, writer, now, out),
        }
    }

    /// Whether so many octets more are too many for this go: what is read is held until all of it is taken in.
    fn is_too_much(&mut self, octets: u64, out: &Found) -> bool {
        if out.changed.is_empty() {
            self.batch_octets = 0;
        }
        let is_too_much = !out.changed.is_empty() && self.batch_octets + octets > self.batch_octets_max;
        if !is_too_much {
            self.batch_octets += octets;
        }
        is_too_much
    }

    /// Reads a file; `writer` is since when events tell of somebody who has it open for writing.
    fn read(&mut self, path: &str, kind: Kind, writer: Option<Instant>, now: Moment, out: &mut Found) {
        match read::read(&self.real.join(path), &self.real, kind, writer.is_some()) {
            Err(reason) => self.refused(path, reason, now, out),
            Ok(Content::Gone) => self.absent(path, now, out),
            Ok(Content::Changing(seen)) => self.wait(path, settling(Some(seen), now), now),
            Ok(Content::Held(seen)) => self.held(path, &seen, self.writer_since(path, writer, now), now, out),
            Ok(Content::LongLine(seen)) => {
                self.trouble(path, Reason::LineTooLong, out);
                // Not read again until it changes: it may be large.
                let print = if settle::is_trusted(&seen, now.wall) { self.print(&seen) } else { 0 };
                if let Some(entry) = self.entries.get_mut(path) {
                    entry.identity = print;
                }
            }
            Ok(Content::Growing(content, seen)) if kind != Kind::Tenants || !self.is_added_to(path, &content) => {
                self.held(path, &seen, self.writer_since(path, writer, now), now, out);
            }
            Ok(Content::Whole(content, seen) | Content::Growing(content, seen)) => {
                if self.entries.len() >= FILES_MAX && !self.entries.contains_key(path) {
                    return self.place("", Reason::TooManyFiles, out);
                }
                self.heal(path, out);
                if self.keep(path, &content, &seen, now) {
                    self.progress.found(1, content.len());
                    out.changed.push(File { path: PathBuf::from(path), kind, content });
                }
            }
        }
    }

    /// Somebody has it open for writing: what was delivered before stays, and after a while that is a trouble.
    fn held(&mut self, path: &str, seen: &Identity, since: Instant, now: Moment, out: &mut Found) {
        self.wait_for_writer(path, seen, Some(since), now);
        if now.steady.saturating_duration_since(since) >= HELD_MAX {
            self.tell(path, Reason::HeldOpen, out);
        }
    }

    /// Waits until nobody has it open for writing.
    pub(super) fn wait_for_writer(&mut self, path: &str, seen: &Identity, since: Option<Instant>, now: Moment) {
        let writer = Some(self.writer_since(path, since, now));
        self.wait(path, Settling { writer, ..settling(Some(*seen), now) }, now);
    }

    fn writer_since(&self, path: &str, since: Option<Instant>, now: Moment) -> Instant {
        since.or_else(|| self.settling.get(path)?.writer).unwrap_or(now.steady)
    }

    /// Whether events, or an earlier look, tell of somebody who has it open for writing.
    pub(super) fn is_written(&self, path: &str) -> bool {
        self.settling.get(path).is_some_and(|settling| settling.writer.is_some())
    }

    /// Whether what was delivered is still there, with more behind it.
    fn is_added_to(&self, path: &str, content: &[u8]) -> bool {
        let Some(entry) = self.entries.get(path).filter(|entry| entry.flags & (DELIVERED | FORGOTTEN) != 0) else {
            return true;
        };
        let before = usize::try_from(entry.size).ok().and_then(|size| content.get(..size));
        before.is_some_and(|before| hash(before) == entry.hash)
    }

    /// Events were lost: who has which file open for writing is not known from them any more.
    pub fn forget_writers(&mut self) {
        self.settling.values_mut().for_each(|settling| settling.writer = None);
    }

    /// Files that nobody has read yet, since somebody has them open for writing: told at once where nothing is served
    /// for them, as at a start.
    pub fn tell_held(&mut self) -> Vec<Trouble> {
        let mut out = Found::default();
        let held = self.settling.iter().filter(|(_, settling)| settling.writer.is_some());
        let held: Vec<String> = held.map(|(path, _)| path.clone()).collect();
        for path in held {
            if self.entries.get(path.as_str()).is_none_or(|entry| entry.flags & (DELIVERED | FORGOTTEN) == 0) {
                self.tell(&path, Reason::HeldOpen, &mut out);
            }
        }
        out.troubled
    }

    /// Remembers content that is being delivered. False: it is what was delivered before.
    pub(super) fn keep(&mut self, path: &str, content: &[u8], seen: &Identity, now: Moment) -> bool {
        let hash = hash(content);
        let identity = if settle::is_trusted(seen, now.wall) { self.print(seen) } else { 0 };
        let size = u32::try_from(seen.size).unwrap_or(u32::MAX);
        let flags = DELIVERED | self.sighting;
        self.settling.remove(path);
        self.missing.remove(path);
        let before = self.entries.insert(path.into(), Entry { identity, hash, size, trouble: 0, flags });
        !before.is_some_and(|before| before.flags & DELIVERED != 0 && before.hash == hash)
    }

    /// The identity as 64 bits that nobody outside can aim at; never 0.
    fn print(&self, seen: &Identity) -> u64 {
        self.key.hash_one(seen).max(1)
    }
}

/// The first half of the SHA-256.
fn hash(content: &[u8]) -> [u8; 16] {
    let mut hash = [0u8; 16];
    let digest = digest::digest(&digest::SHA256, content);
    hash.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
    hash
}
