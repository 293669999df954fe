//! The time limit for the head of a request.
//!
//! hyper sets a timer for every head and throws it away when the head has come, long before its time. To the runtime's
//! timers that is work under a lock for every request. Here one sleep of each connection serves all its heads: it may go
//! off for one that came long ago, and only then is it set anew.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use tokio::time::{self, sleep_until};

/// The timer of one connection, on which one limit runs at a time.
#[derive(Clone, Debug, Default)]
pub(super) struct Limits(Arc<Mutex<Option<Pin<Box<time::Sleep>>>>>);

impl Timer for Limits {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Limit { of: self.clone(), deadline: deadline.into() })
    }

    fn now(&self) -> Instant {
        time::Instant::now().into_std()
    }
}

#[derive(Debug)]
struct Limit {
    of: Limits,
    deadline: time::Instant,
}

impl Sleep for Limit {}

impl Future for Limit {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut sleep = self.of.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sleep = sleep.get_or_insert_with(|| Box::pin(sleep_until(self.deadline)));
        ready!(sleep.as_mut().poll(context));
        if self.deadline <= sleep.deadline() {
            return Poll::Ready(());
        }
        sleep.as_mut().reset(self.deadline);
        sleep.as_mut().poll(context)
    }
}
