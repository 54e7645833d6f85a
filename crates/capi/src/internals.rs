//! The inside, for models: a handle whose content is the model's.
//!
//! Not here: any protocol. Nothing of this is part of the public interface.

#![allow(unsafe_code)]

use crate::handle::{Handle, Held, Kind, kind};
use std::any::Any;
use std::fmt;

type Content = Box<dyn Any + Send + Sync>;

/// A kind of handle.
#[repr(C)]
struct Model(Handle<Content>);

kind!(Model: Content, "model", b"modl");

/// A holder of a handle.
pub struct Holder(Held<Model>);

impl Holder {
    /// A handle of this content, and its first holder.
    pub fn new(content: Content) -> Holder {
        let made = Model::create(content);
        // SAFETY: fresh, and nobody else has it.
        let holder = Holder(Held::new(unsafe { &*made }));
        Model::release(Some(holder.0.kind()), "a model");
        holder
    }

    /// What the handle holds.
    pub fn content(&self) -> &Content {
        self.0.content()
    }
}

impl Clone for Holder {
    fn clone(&self) -> Holder {
        Holder(Held::new(self.0.kind()))
    }
}

impl fmt::Debug for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Holder")
    }
}
