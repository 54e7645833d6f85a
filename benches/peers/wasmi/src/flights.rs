//! Many programs, on tokio or rayon.

use crate::machines::{Linked, function};
use bench_flights::{FIB, Flights, Waiting};
use bench_harness::Request;
use rayon::prelude::*;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::*};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Notify;
use wasmi::{TypedResumableCall, Val};

/// The machine and what runs it.
pub struct Hosted {
    linked: Linked,
    host: Host,
}

enum Host {
    Tokio(Runtime),
    Rayon(ThreadPool),
}

impl Hosted {
    pub fn new(request: &Request) -> Hosted {
        let workers = request.workers;
        let host = match request.form.as_str() {
            "rayon" => {
                Host::Rayon(ThreadPoolBuilder::new().num_threads(workers).build().expect("threads start"))
            }
            _ => Host::Tokio(
                Builder::new_multi_thread().worker_threads(workers).build().expect("threads start"),
            ),
        };
        Hosted { linked: Linked::new(), host }
    }
}

/// A program that is suspended once, and waits for `event` meanwhile.
async fn waits(linked: Linked, index: i32, event: Arc<Notify>, begun: Arc<AtomicUsize>) -> i32 {
    let suspended = {
        let (mut store, instance) = linked.instance();
        let call =
            function(&store, &instance, "waits").call_resumable(&mut store, 1).expect("it does not trap");
        let TypedResumableCall::HostTrap(suspended) = call else { unreachable!("it waits") };
        (store, suspended)
    };
    let mut notified = std::pin::pin!(event.notified());
    notified.as_mut().enable();
    begun.fetch_add(1, Release);
    notified.await;
    let (mut store, suspended) = suspended;
    match suspended.resume(&mut store, &[Val::I32(index)]).expect("it does not trap") {
        TypedResumableCall::Finished(result) => result,
        _ => unreachable!("it waits once"),
    }
}

impl Flights for Hosted {
    fn waiting(&self, programs: usize) -> Option<Waiting<'_>> {
        let Host::Tokio(runtime) = &self.host else { return None };
        let begun = Arc::new(AtomicUsize::new(0));
        let start = |index: usize| {
            let event = Arc::new(Notify::new());
            (event.clone(), runtime.spawn(waits(self.linked.clone(), index as i32, event, begun.clone())))
        };
        let all: Vec<_> = (0..programs).map(start).collect();
        while begun.load(Acquire) < programs {
            std::thread::yield_now();
        }
        Some(Box::new(move || {
            all.iter().for_each(|(event, _)| event.notify_one());
            runtime.block_on(async {
                let mut sum = 0;
                for (_, handle) in all {
                    sum += handle.await.expect("no program panics") as u64;
                }
                sum
            })
        }))
    }

    fn batch(&self, items: usize) -> Option<Box<dyn FnMut() -> u64 + '_>> {
        match &self.host {
            Host::Rayon(pool) => Some(Box::new(move || {
                pool.install(|| {
                    let instance = || self.linked.instance();
                    let item = |(store, instance): &mut (_, _), _| {
                        function(store, instance, "fib").call(store, FIB).expect("it does not trap") as u64
                    };
                    (0..items).into_par_iter().map_init(instance, item).sum()
                })
            })),
            Host::Tokio(runtime) => Some(Box::new(move || {
                let call = |linked: Linked| async move {
                    let (mut store, instance) = linked.instance();
                    function(&store, &instance, "fib").call(&mut store, FIB).expect("it does not trap") as u64
                };
                let all: Vec<_> = (0..items).map(|_| runtime.spawn(call(self.linked.clone()))).collect();
                runtime.block_on(async {
                    let mut sum = 0;
                    for handle in all {
                        sum += handle.await.expect("no program panics");
                    }
                    sum
                })
            })),
        }
    }
}
