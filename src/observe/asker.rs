//! Asks parents whether they have a DS, before first keys are made, in threads of its own.
//!
//! It decides nothing. However many zones there are, it ends in seconds: what was not asked by then could not be asked.

use crate::config::Config;
use crate::dns::name::Name;
use crate::observe::before::{DsBefore, ds_before, ways};
use crate::time::steady;
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Threads that ask, at most: each waits for the network nearly all of its time.
const THREADS_MAX: usize = 16;
/// How long all questions that came together may take.
const ALL_TIMEOUT: Duration = Duration::from_secs(15);

/// Told when an answer came.
type Wake = Box<dyn Fn() + Send + Sync>;

/// Who is to be asked, and what was said.
#[derive(Default)]
pub struct Asker {
    shared: Arc<Shared>,
    /// Where parents are, by the configuration.
    config: Arc<Config>,
    /// Nobody is asked here: others take what waits, and say what the answer is.
    has_no_threads: bool,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// An answer came.
    news: Condvar,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<(Name, Vec<SocketAddr>)>,
    /// What was said; none: asked and not answered yet.
    said: BTreeMap<Name, Option<DsBefore>>,
    threads: usize,
    until: Option<Instant>,
    wake: Option<Arc<Wake>>,
}

impl Asker {
    /// Parents are where this configuration says, from now on; what they said before counts no more where they failed.
    pub fn configure(&mut self, config: Arc<Config>) {
        self.config = config;
        let is_known = |said: &Option<DsBefore>| !matches!(said, Some(DsBefore::Unknown(_)));
        self.shared.lock().said.retain(|_, said| is_known(said));
    }

    /// Tells this when an answer came.
    pub fn wake_by(&self, wake: Wake) {
        self.shared.lock().wake = Some(Arc::new(wake));
    }

    /// What the parent of a zone said; none: it is being asked, from now on at the latest.
    pub fn said(&self, apex: &Name) -> Option<DsBefore> {
        let mut state = self.shared.lock();
        if let Some(said) = state.said.get(apex) {
            return said.clone();
        }
        let text = apex.to_string();
        let parents = self.config.zone_settings(text.trim_end_matches('.')).parents;
        state.said.insert(apex.clone(), None);
        if state.waiting.is_empty() && state.threads == 0 {
            state.until = Some(steady() + ALL_TIMEOUT);
        }
        state.waiting.push_back((apex.clone(), parents));
        if !self.has_no_threads && state.threads < THREADS_MAX {
            let shared = Arc::clone(&self.shared);
            let spawned = std::thread::Builder::new().name("mxseal-before".to_owned()).spawn(move || shared.work());
            match spawned {
                Ok(_) => state.threads += 1,
                // The others do it; where there is none, nobody can be asked.
                Err(fault) if state.threads == 0 => {
                    state.waiting.clear();
                    let why = DsBefore::Unknown(format!("the system gives no thread: {fault}"));
                    state.said.insert(apex.clone(), Some(why.clone()));
                    return Some(why);
                }
                Err(_) => {}
            }
        }
        None
    }

    /// Asks nobody by itself: what [`Asker::take_waiting`] hands out is answered by [`Asker::answer`], at whatever moment.
    pub fn without_threads() -> Asker {
        Asker { has_no_threads: true, ..Asker::default() }
    }

    /// Who is to be asked, with the addresses of parents where those are configured.
    pub fn take_waiting(&self) -> Vec<(Name, Vec<SocketAddr>)> {
        self.shared.lock().waiting.drain(..).collect()
    }

    /// The parent of a zone said this.
    pub fn answer(&self, apex: Name, said: DsBefore) {
        self.shared.take(apex, said);
    }

    /// A person knows what the parent has: nothing that counts.
    pub fn is_told(&self, apex: &Name) {
        self.shared.lock().said.insert(apex.clone(), Some(DsBefore::None));
    }

    /// Waits until all was said, up to this span.
    pub fn wait(&self, span: Duration) {
        if self.has_no_threads {
            return;
        }
        let is_open = |state: &mut State| state.said.values().any(Option::is_none);
        let waited = self.shared.news.wait_timeout_while(self.shared.lock(), span, is_open);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Asks until nothing is left to be asked.
    fn work(&self) {
        loop {
            let (next, until) = {
                let mut state = self.lock();
                let next = state.waiting.pop_front();
                if next.is_none() {
                    state.threads = state.threads.saturating_sub(1);
                }
                (next, state.until)
            };
            let Some((apex, parents)) = next else { return };
            let said = match until {
                Some(until) if until <= steady() => {
                    DsBefore::Unknown("too many parents were to be asked at once".to_owned())
                }
                _ => ds_before(&apex, &parents, &ways()),
            };
            self.take(apex, said);
        }
    }

    /// An answer came.
    fn take(&self, apex: Name, said: DsBefore) {
        let wake = {
            let mut state = self.lock();
            state.said.entry(apex).or_insert(None).get_or_insert(said);
            state.wake.clone()
        };
        self.news.notify_all();
        if let Some(wake) = wake {
            wake();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dns::name::ROOT;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn without_threads_answers_come_when_somebody_gives_them() {
        let apex = Name::parse("mx.example.", ROOT).expect("a name");
        let (asker, woken) = (Asker::without_threads(), Arc::new(AtomicBool::new(false)));
        let wakes = Arc::clone(&woken);
        asker.wake_by(Box::new(move || wakes.store(true, Ordering::Relaxed)));
        assert_eq!((asker.said(&apex), asker.said(&apex)), (None, None));
        asker.wait(Duration::from_secs(3600));
        assert_eq!(asker.take_waiting(), [(apex.clone(), Vec::new())], "asked once");
        assert_eq!(asker.said(&apex), None);
        asker.answer(apex.clone(), DsBefore::None);
        assert_eq!((asker.said(&apex), woken.load(Ordering::Relaxed)), (Some(DsBefore::None), true));
        assert_eq!(asker.take_waiting(), []);
    }
}
