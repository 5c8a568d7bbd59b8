//! Where queries wait for signatures of denials: a bounded queue with a deadline.
//!
//! It must never send an unsigned denial, nor SERVFAIL: whoever waited in vain is closed, and asks another server.

use super::Connection;
use crate::answer::Account;
use crate::metrics::{Dropped, Proto};
use crate::serve::signing::{Permit, SIGNATURE_PAUSE};
use crate::time::steady;
use std::future::Future;
use std::task::{Context, Poll, ready};
use std::time::Instant;

/// Where the first pending query stands with the signature that it needs.
pub(super) enum Signing {
    /// Not known to need one.
    No,
    /// It needs one that is not kept for good.
    Wanted(Account),
    /// It has a place in the queue, and waits for the budget until that moment.
    Queued(Account, Instant),
    /// It will be signed when its turn comes.
    Allowed(Permit),
}

impl Connection {
    /// Signing waits until others had their turn, and for the budget where that is spent. That queue is bounded: past it
    /// TCP is no refuge from the budget of UDP. A zone that has a share left needs no place in it.
    pub(super) fn queue_for_signature(&mut self, account: Account, cx: &mut Context<'_>) -> Poll<()> {
        if let Some(permit) = self.front.signatures.permit(&account, &self.front.slot.load()) {
            self.signing = Signing::Allowed(permit);
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let queued = self.front.signatures_queued.get();
        if queued >= self.front.signatures_queued_max {
            self.front.counters.refused(Proto::Tcp);
            self.front.counters.dropped(Dropped::TcpFull, 1);
            return Poll::Ready(());
        }
        self.front.signatures_queued.set(queued + 1);
        self.signing = Signing::Queued(account, steady() + self.front.signature_wait);
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Waits for the budget. Past its deadline the connection is closed, which says less than any answer could: an
    /// unsigned denial would be bogus, SERVFAIL would be cached.
    pub(super) fn poll_permit(
        &mut self,
        account: &Account,
        until: Instant,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), ()>> {
        loop {
            if let Some(permit) = self.front.signatures.permit(account, &self.front.slot.load()) {
                self.leave_queue();
                (self.signing, self.pause) = (Signing::Allowed(permit), None);
                return Poll::Ready(Ok(()));
            }
            if steady() >= until {
                self.front.counters.refused(Proto::Tcp);
                self.front.counters.dropped(Dropped::TcpDeadline, 1);
                return Poll::Ready(Err(()));
            }
            let pause = self.pause.insert(Box::pin(tokio::time::sleep(SIGNATURE_PAUSE)));
            ready!(pause.as_mut().poll(cx));
        }
    }

    pub(super) fn leave_queue(&mut self) {
        if matches!(self.signing, Signing::Queued(..)) {
            self.front.signatures_queued.set(self.front.signatures_queued.get().saturating_sub(1));
        }
        self.signing = Signing::No;
    }
}
