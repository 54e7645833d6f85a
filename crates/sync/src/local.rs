//! Thread-locals that are each thread's own under the model checker too, where all threads of a model are one of the system.

/// Declares a private thread-local: `local!(NAME: Type = initial)`. Reached with `NAME.with(..)`.
#[macro_export]
macro_rules! local {
    ($name:ident: $type:ty = $initial:expr) => {
        #[cfg(not(raddle_loom))]
        ::std::thread_local! { static $name: $type = const { $initial } }
        #[cfg(raddle_loom)]
        $crate::model_local! { static $name: $type = $initial }
    };
}
