//! Loads, verifies and runs IREE's compiled modules (`.vmfb`, bytecode 17.0).
//!
//! Three levels of trust: [`Archive`] finds the parts of a file, [`Module`] is parsed *and verified*,
//! and only a `Module` is ever executed. [`assemble`] and [`disassemble`] go between a module and its text,
//! [`ModuleBuilder`] makes one without either.
//!
//! Not here: files and memory maps (a module takes [`Bytes`]), threads, clocks, and waiting: a call that must
//! wait says so in its outcome.

#![deny(unsafe_code)]

mod archive;
mod block;
mod budget;
mod buffer;
mod builder;
mod building;
mod context;
mod cycles;
mod engine;
mod entry;
mod invoke;
pub mod isa;
mod link;
mod list;
mod machine;
mod module;
mod native;
mod object;
mod quota;
mod registry;
#[cfg(test)]
mod sample;
mod stack;
mod text;
mod translate;
mod tuning;
mod value;
mod verify;
mod wait;
mod words;

pub use archive::Archive;
pub use builder::ModuleBuilder;
pub use bytes::Bytes;
pub use module::{Dependency, Export, Function, Import, Location, Module, Param, Scalar, Signature};
pub use text::{Listing, assemble, disassemble};

pub use block::{Memory, Storage};
pub use budget::Slice;
pub use buffer::{ALIGNMENT_DEFAULT, Buffer};
pub use building::{Building, Initialising};
pub use context::{Context, Limits, Turn};
pub use engine::Engine;
pub use entry::EntryPoint;
pub use invoke::{Finished, Idle, Outcome, Prepared, Suspended};
pub use link::ContextBuilder;
pub use list::{ElementType, List};
pub use native::{
    Arg, DynamicFlow, DynamicFunction, DynamicRest, Element, Flow, NativeBuilder, NativeFunction,
    NativeModule, Results, Resume, Single, Then, Variadic, VariadicIter,
};
pub use object::{Dead, Object, Ref, RefOf, Released, Type, TypeInfo};
pub use quota::Quota;
pub use registry::{Registry, ResolvedType};
pub use translate::Program;
pub use value::{Primitive, Value};
pub use wait::{Condition, NEVER, SharedSource, Wait, WaitOutcome, WaitSource};
