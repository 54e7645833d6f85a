//! Programs in text form against the module.
