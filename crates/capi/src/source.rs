//! Wait sources: what programs and native functions wait for; the host's own, by a table of functions.
//!
//! Not here: what a source calls when it is ready (`waker.rs`).
#![allow(unsafe_code)]

use crate::boundary::{Out, UserData, fallible, foreign, invalid, text_or_none};
use crate::handle::{Handle, Kind, kind};
use crate::object::Ref;
use crate::options::{self, Options};
use crate::status::Status;
use crate::waker::{Waker, WakerName};
use raddle::vm;
use raddle::wait::{
    self, Commit, Descriptor, DescriptorSource, Readiness, Route, SharedSource, SourceWaker, Until,
    WaitSource, WakerId,
};
use raddle::{Code, Error, Moment, Result, SourceObject};
use std::any::Any;
use std::ffi::{c_char, c_void};
use std::os::fd::BorrowedFd;
use std::sync::{Arc, OnceLock, Weak};

/// A wait source. Thread-safe.
pub struct Source(Handle<SharedSource>);

kind!(Source: SharedSource, "raddle_source_t", b"SRCE");

/// What `query` says.
#[repr(u32)]
pub enum Answer {
    /// Not ready, or not known.
    Pending = 0,
    /// Ready now.
    Ready = 1,
    /// Never ready again.
    Failed = 2,
}

/// What a descriptor is to be ready for.
#[repr(u32)]
pub enum Interest {
    /// A read would not block.
    Read = 0,
    /// A write would not block.
    Write = 1,
}

/// The functions of a wait source of the host's. Only `arm` is needed, or `export_fd` in its place. They are called from any
/// thread, with no lock of raddle's held, and must not block. They may call raddle, and complete wakers from inside.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SourceTable {
    /// `sizeof(raddle_source_table_t)`.
    pub struct_size: usize,
    /// What dumps call the source; may be null. Copied.
    pub name: *const c_char,
    /// Keeps `waker`, which it owns, and completes it when the source is ready: at once, from inside this call, if it is
    /// ready already. Afterwards it is released. A source may be armed any number of times, by several waits at once.
    pub arm: Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, waker: *mut Waker)>,
    /// Whether the source is ready (`raddle_ready_t`), as a hint that consumes nothing. When it says failed it may write a
    /// status, which raddle takes over.
    pub query:
        Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, out_status: *mut *mut Status) -> u32>,
    /// A request to forget the waker of this name; completing it afterwards is harmless.
    pub disarm: Option<unsafe extern "C-unwind" fn(user_data: *mut c_void, name: WakerName)>,
    /// A descriptor that is readable when the source is ready. Called once, by `raddle_source_create`; raddle duplicates the
    /// descriptor, so that the host may close its own. With it, `arm` is not called.
    pub export_fd: Option<unsafe extern "C-unwind" fn(user_data: *mut c_void) -> i32>,
    /// Takes what the source hands out, for the wait that it has ended: true if it did, false if somebody else was faster and
    /// the wait has to go on. By default true.
    pub commit: Option<unsafe extern "C-unwind" fn(user_data: *mut c_void) -> bool>,
    /// Undoes a commit: another source of the same wait for all was lost.
    pub give_back: Option<unsafe extern "C-unwind" fn(user_data: *mut c_void)>,
    /// A waker was completed, but its wait takes nothing: it has ended otherwise, or `commit` said false. Whoever waits
    /// next may be woken in its place.
    pub decline: Option<unsafe extern "C-unwind" fn(user_data: *mut c_void)>,
    /// Ends `user_data`, once, when nobody holds the source any more.
    pub release: Option<unsafe extern "C-unwind" fn(user_data: *mut c_void)>,
}

// SAFETY: O1.
unsafe impl Options for SourceTable {
    const NAME: &'static str = "raddle_source_table_t";
}

/// A source whose functions are the host's.
pub(crate) struct HostSource {
    me: Weak<HostSource>,
    table: SourceTable,
    data: UserData,
    name: String,
    descriptor: Option<DescriptorSource>,
    failure: OnceLock<Error>,
}

// SAFETY: B1: the table's functions may be called from any thread; its `name` is not used after `create`.
unsafe impl Send for HostSource {}
// SAFETY: as above.
unsafe impl Sync for HostSource {}

impl HostSource {
    pub(crate) fn label(&self) -> &str {
        &self.name
    }

    /// The source has failed for good. The first failure stays.
    pub(crate) fn fail(&self, error: Error) {
        // Somebody was first: theirs stays.
        let _ = self.failure.set(error);
    }

    pub(crate) fn user_data(&self) -> *mut c_void {
        self.data.0
    }
}

impl WaitSource for HostSource {
    fn arm(&self, waker: SourceWaker) {
        let Some(arm) = self.table.arm else {
            // A descriptor: whoever passes `arm` on must pass `route` on too.
            waker.fail(Code::FailedPrecondition);
            return;
        };
        let waker = Waker::new(waker, self.me.clone());
        // SAFETY: B1.
        foreign("arm", || unsafe { arm(self.data.0, waker) });
    }

    fn query(&self) -> Readiness {
        if let Some(error) = self.failure.get() {
            return Readiness::Failed(error.clone());
        }
        let Some(query) = self.table.query else {
            return self.descriptor.as_ref().map_or(Readiness::Pending, WaitSource::query);
        };
        let mut status = std::ptr::null_mut();
        // SAFETY: B1.
        let answer = foreign("query", || unsafe { query(self.data.0, &mut status) });
        let told = Status::take(status);
        match answer {
            0 => Readiness::Pending,
            1 => Readiness::Ready,
            _ => Readiness::Failed(told.err().unwrap_or_else(|| Code::Unknown.into())),
        }
    }

    fn disarm(&self, waker: WakerId) {
        if let Some(disarm) = self.table.disarm {
            // SAFETY: B1.
            foreign("disarm", || unsafe { disarm(self.data.0, WakerName::new(waker)) });
        }
    }

    fn commit(&self) -> Commit {
        // SAFETY: B1.
        let taken =
            self.table.commit.is_none_or(|commit| foreign("commit", || unsafe { commit(self.data.0) }));
        if taken { Commit::Taken } else { Commit::Lost }
    }

    fn give_back(&self) {
        if let Some(give_back) = self.table.give_back {
            // SAFETY: B1.
            foreign("give_back", || unsafe { give_back(self.data.0) });
        }
    }

    fn decline(&self) {
        if let Some(decline) = self.table.decline {
            // SAFETY: B1.
            foreign("decline", || unsafe { decline(self.data.0) });
        }
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }

    fn route(&self) -> Route<'_> {
        self.descriptor.as_ref().map_or(Route::Source, WaitSource::route)
    }
}

impl Drop for HostSource {
    fn drop(&mut self) {
        if let Some(release) = self.table.release {
            // SAFETY: B1.
            foreign("release", || unsafe { release(self.data.0) });
        }
    }
}

/// A duplicate of a descriptor of the host's.
fn duplicate(fd: i32) -> Result<Descriptor> {
    if fd < 0 {
        return Err(invalid(format!("{fd} is no descriptor")));
    }
    // SAFETY: B1: the host's descriptor is open during this call; if it is not, duplicating it fails.
    Descriptor::duplicate(unsafe { BorrowedFd::borrow_raw(fd) })
}

/// A wait source of the host's. `table` is copied. On failure `release` is not called.
///
/// INVALID_ARGUMENT: the table has neither `arm` nor `export_fd`. FAILED_PRECONDITION: the descriptor can't be duplicated.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_source_create(
    table: *const SourceTable,
    user_data: *mut c_void,
    out_source: *mut *mut Source,
) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_source, "out_source")?;
        let table = options::read(table)?;
        if table.arm.is_none() && table.export_fd.is_none() {
            return Err(invalid("a raddle_source_table_t needs `arm` or `export_fd`"));
        }
        let name = text_or_none(table.name, "name")?.unwrap_or("a source of the host's").to_owned();
        let descriptor = match table.export_fd {
            Some(export) => {
                // SAFETY: B1.
                let fd = foreign("export_fd", || unsafe { export(user_data) });
                Some(duplicate(fd)?.readable())
            }
            None => None,
        };
        let source: Arc<HostSource> = Arc::new_cyclic(|me| HostSource {
            me: me.clone(),
            table,
            data: UserData(user_data),
            name,
            descriptor,
            failure: OnceLock::new(),
        });
        out.put(Source::create(source));
        Ok(())
    })
}

/// A wait source: ready when the descriptor is, for `interest` (`raddle_interest_t`). The descriptor is duplicated: the host
/// may close its own, and the wait goes on.
///
/// FAILED_PRECONDITION: it can't be duplicated: it is closed, or the process has no descriptors left.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_source_from_fd(fd: i32, interest: u32, out_source: *mut *mut Source) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_source, "out_source")?;
        let descriptor = duplicate(fd)?;
        out.put(Source::create(Arc::new(match interest {
            0 => descriptor.readable(),
            1 => descriptor.writable(),
            _ => return Err(invalid(format!("{interest} is no raddle_interest_t"))),
        })));
        Ok(())
    })
}

/// A wait source: ready at this moment of the runtime's clock (`raddle_runtime_now`).
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_source_at(moment: Moment, out_source: *mut *mut Source) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_source, "out_source")?;
        out.put(Source::create(Arc::new(Until(moment))));
        Ok(())
    })
}

/// One holder more. Null is nothing.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_source_retain(source: Option<&Source>) {
    Source::retain(source, "raddle_source_retain");
}

/// One holder less. Null is nothing.
#[unsafe(no_mangle)]
pub extern "C" fn raddle_source_release(source: Option<&Source>) {
    Source::release(source, "raddle_source_release");
}

/// The source as an argument of a program.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_source_ref(source: Option<&Source>, out_reference: *mut *mut Ref) -> *mut Status {
    fallible(|| {
        let out = Out::handle(out_reference, "out_reference")?;
        if let vm::Value::Ref(Some(reference)) = SourceObject::value(Source::get(source, "source")?) {
            out.put(Ref::create(reference));
        }
        Ok(())
    })
}

/// Whether the source is ready now, as far as it knows without waiting: a `raddle_ready_t`. A source that has failed gives its
/// failure.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_source_query(source: Option<&Source>, out_ready: *mut u32) -> *mut Status {
    fallible(|| {
        let out = Out::new(out_ready, "out_ready")?;
        let (ready, result) = match Source::get(source, "source")?.query() {
            Readiness::Pending => (Answer::Pending, Ok(())),
            Readiness::Ready => (Answer::Ready, Ok(())),
            Readiness::Failed(error) => (Answer::Failed, Err(error)),
        };
        out.put(ready as u32);
        result
    })
}

/// What kind of source it is.
#[repr(u32)]
pub enum SourceKind {
    /// None of the others.
    Other = 0,
    /// A `raddle_source_create`: `user_data` is the host's.
    Host = 1,
    /// An event.
    Event = 2,
    /// A semaphore: `value` is waited for.
    Semaphore = 3,
    /// A moment of the runtime's clock: `value`.
    Moment = 4,
    /// A descriptor: `fd`, of which `value` says the interest.
    Descriptor = 5,
}

/// What is known of a source.
#[repr(C)]
#[derive(Clone, Copy)]
pub struct SourceInfo {
    /// `sizeof(raddle_source_info_t)`, set by the caller.
    pub struct_size: usize,
    /// A `raddle_source_kind_t`.
    pub kind: u32,
    /// The duplicate of the descriptor, or -1.
    pub fd: i32,
    /// By kind.
    pub value: u64,
    /// The host's; null for other kinds.
    pub user_data: *mut c_void,
}

// SAFETY: O1.
unsafe impl Options for SourceInfo {
    const NAME: &'static str = "raddle_source_info_t";
}

/// What is known of a source, so that a host recognises its own in a wait frame.
#[unsafe(no_mangle)]
#[must_use]
pub extern "C" fn raddle_source_info(source: Option<&Source>, out_info: *mut SourceInfo) -> *mut Status {
    fallible(|| {
        let source = Source::get(source, "source")?;
        Out::new(out_info, "out_info")?;
        options::write(out_info, info(&**source))
    })
}

fn info(source: &dyn WaitSource) -> SourceInfo {
    let mut info = SourceInfo {
        struct_size: size_of::<SourceInfo>(),
        kind: SourceKind::Other as u32,
        fd: -1,
        value: 0,
        user_data: std::ptr::null_mut(),
    };
    let Some(any) = source.as_any() else { return info };
    let kind = if let Some(host) = any.downcast_ref::<HostSource>() {
        info.user_data = host.user_data();
        SourceKind::Host
    } else if any.is::<wait::Event>() {
        SourceKind::Event
    } else if let Some(at) = any.downcast_ref::<wait::SemaphoreValue>() {
        info.value = at.value();
        SourceKind::Semaphore
    } else if let Some(Until(moment)) = any.downcast_ref::<Until>() {
        info.value = *moment;
        SourceKind::Moment
    } else if let Route::Descriptor(..) | Route::Watch(_) = source.route() {
        let (fd, interest) = match source.route() {
            Route::Watch(watch) => watch.what(),
            Route::Descriptor(fd, interest) => (fd, interest),
            _ => return info,
        };
        info.fd = std::os::fd::AsRawFd::as_raw_fd(&fd);
        info.value = interest as u64;
        SourceKind::Descriptor
    } else {
        SourceKind::Other
    };
    info.kind = kind as u32;
    info
}
