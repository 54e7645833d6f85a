//! What the kernel alone takes: nobody can be faster who uses it this way.
//!
//! | form | case | what it is |
//! |---|---|---|
//! | `unpark` | `graphs/outside` | a thread is unparked, and unparks its waker: two wake-ups |
//! | `unpark` | `programs/…` | the same, one after the other: a call that is handed over and takes no time |
//! | `read` | `waits/descriptor` | a thread in a blocking `read` |
//! | `epoll` | `waits/descriptor` | a thread in `epoll_wait`, then `read` |

#![forbid(unsafe_code)]

use bench_graphs::{Body, Graphs, Round};
use bench_harness::{Answer, Counting, Stamp, new_eventfd, raise_descriptor_limit, serve, take};
use bench_programs::{Program, Programs};
use bench_waits::{Keep, Waits};
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{EventfdFlags, eventfd};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::*};
use std::thread;

#[global_allocator]
static MEMORY: Counting = Counting;

struct Floor {
    form: String,
}

impl Graphs for Floor {
    fn outside<B: Body>(&self) -> Option<Round<'_>> {
        (self.form == "unpark").then_some(())?;
        let turn = Arc::new(AtomicU32::new(0));
        let (own, caller) = (turn.clone(), thread::current());
        let sleeper = thread::spawn(move || {
            loop {
                while own.load(Acquire) == 0 {
                    thread::park();
                }
                B::run(0);
                own.store(0, Release);
                caller.unpark();
            }
        });
        Some(Box::new(move || {
            turn.store(1, Release);
            sleeper.thread().unpark();
            while turn.load(Acquire) == 1 {
                thread::park();
            }
        }))
    }
}

fn reader(stamp: &'static Stamp) -> Arc<OwnedFd> {
    let fd = Arc::new(eventfd(0, EventfdFlags::CLOEXEC).expect("descriptors are left"));
    let own = fd.clone();
    thread::spawn(move || {
        loop {
            take(&*own).expect("an eventfd can be read");
            stamp.resumed();
        }
    });
    fd
}

fn watch(set: &OwnedFd, fd: &OwnedFd) {
    let flags = EventFlags::IN | EventFlags::ET;
    epoll::add(set, fd, EventData::new_u64(0), flags).expect("an eventfd can be polled");
}

fn poller(stamp: &'static Stamp, others: usize) -> (Arc<OwnedFd>, Keep) {
    raise_descriptor_limit();
    let set = epoll::create(CreateFlags::CLOEXEC).expect("descriptors are left");
    let others: Vec<_> = (0..others).map(|_| new_eventfd()).collect();
    others.iter().for_each(|fd| watch(&set, fd));
    let fd = Arc::new(new_eventfd());
    watch(&set, &fd);
    let own = fd.clone();
    thread::spawn(move || {
        let mut events = [const { MaybeUninit::uninit() }; 16];
        loop {
            let (ready, _) = epoll::wait(&set, &mut events, None).expect("nobody sends signals");
            for _ in ready {
                take(&*own).expect("an event means that it is readable");
                stamp.resumed();
            }
        }
    });
    (fd, Box::new(others))
}

impl Programs for Floor {
    fn call(&self, program: &Program) -> Option<Box<dyn FnMut() -> f32 + '_>> {
        let mut hand_off = self.outside::<bench_graphs::Empty>()?;
        let first = program.first;
        Some(Box::new(move || {
            hand_off();
            first
        }))
    }
}

impl Waits for Floor {
    fn descriptor(&self, others: usize, stamp: &'static Stamp) -> Option<(Arc<OwnedFd>, Keep)> {
        match self.form.as_str() {
            "read" => Some((reader(stamp), Box::new(()))),
            "epoll" => Some(poller(stamp, others)),
            _ => None,
        }
    }
}

fn main() -> ExitCode {
    serve("", |request| {
        let floor = Floor { form: request.form.clone() };
        match request.parts().0 {
            "graphs" => bench_graphs::answer(request, &floor),
            "programs" => bench_programs::answer(request, &floor),
            "waits" => bench_waits::answer(request, &floor),
            other => Answer::absent(format!("nothing for `{other}`")),
        }
    })
}
