//! The wait set: timers and descriptors, fired by whoever looks at the kernel.
//!
//! Not here: waits that no kernel is needed for (`event.rs` and its like), who looks and when (an executor).
//!
//! | file | owns |
//! |---|---|
//! | `wait_set.rs` | the set: one look at the kernel, wake-ups, the stage of frames |
//! | `timers.rs` | deadlines, and the one timer of the kernel |
//! | `wheel.rs`, `piles.rs` | slots by moment |
//! | `descriptors.rs` | registrations, one for each descriptor number |
//! | `places.rs` | how many waits are armed, and how many may be |
//! | `descriptor.rs`, `drained.rs` | the sources |
//! | `kernel.rs` | what a set asks of a kernel |
//! | `os.rs` | the real one |
//! | `forked.rs` | whether the process is a fork |
//! | `standin.rs` | one for models and simulations |

#[cfg(not(all(target_os = "linux", target_pointer_width = "64")))]
compile_error!(
    "the wait set needs 64-bit Linux (epoll, eventfd, timerfd); without the feature `set` there is no such need"
);

mod descriptor;
mod descriptors;
mod drained;
mod forked;
mod kernel;
mod os;
mod piles;
mod places;
#[cfg(feature = "standin")]
mod standin;
mod timers;
mod wait_set;
mod wheel;

pub use descriptor::{Descriptor, DescriptorSource};
pub use drained::{Drained, DrainedSource};
pub use kernel::{Events, Interests, Kernel, Ready, Registration, Sleep, Token};
pub use os::OsKernel;
pub use places::Limits;
#[cfg(feature = "standin")]
pub use standin::{COUNTER_MAX, Calls, Standin};
pub use wait_set::{Turn, WaitSet};
