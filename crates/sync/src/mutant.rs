//! Mutants: one named ordering, fence or check that a model run weakens.
//!
//! A protocol writes `ord!("slot.fire", AcqRel)` for an ordering, `fence!("park.announce")` for a
//! sequentially consistent fence (`fence!("x.end", Acquire)` for a weaker one), and `mutant!("park.recheck")` for a condition that a mutant turns on
//! (`if mutant!("x") || …`, and for a check that a mutant removes `!mutant!("x") && …`). In the product all three
//! are constants. Under `cfg(raddle_loom)` the environment variable `RADDLE_MUTANT` names the one that is
//! active in this process. The runner of the models finds the names in the sources.

/// An ordering that the mutant of this name weakens to `Relaxed`.
#[macro_export]
macro_rules! ord {
    ($name:literal, $ordering:ident) => {{
        #[cfg(not(raddle_loom))]
        {
            $crate::atomic::Ordering::$ordering
        }
        #[cfg(raddle_loom)]
        {
            $crate::weakened($name, $crate::atomic::Ordering::$ordering)
        }
    }};
}

/// A fence that the mutant of this name removes; sequentially consistent unless another ordering is named.
#[macro_export]
macro_rules! fence {
    ($name:literal) => {
        $crate::fence!($name, SeqCst)
    };
    ($name:literal, $ordering:ident) => {{
        #[cfg(not(raddle_loom))]
        $crate::atomic::fence($crate::atomic::Ordering::$ordering);
        #[cfg(raddle_loom)]
        if !$crate::is_active($name) {
            $crate::atomic::fence($crate::atomic::Ordering::$ordering);
        }
    }};
}

/// Whether the mutant of this name is active: `false` in the product.
#[macro_export]
macro_rules! mutant {
    ($name:literal) => {{
        #[cfg(not(raddle_loom))]
        {
            false
        }
        #[cfg(raddle_loom)]
        {
            $crate::is_active($name)
        }
    }};
}

#[doc(hidden)]
pub fn is_active(name: &str) -> bool {
    static ACTIVE: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    ACTIVE.get_or_init(|| std::env::var("RADDLE_MUTANT").ok()).as_deref() == Some(name)
}

#[doc(hidden)]
pub fn weakened(name: &str, ordering: std::sync::atomic::Ordering) -> std::sync::atomic::Ordering {
    if is_active(name) { std::sync::atomic::Ordering::Relaxed } else { ordering }
}
