//! The object types that modules may name.
//!
//! Not here: the objects themselves ([`crate::object`]).

use crate::buffer::Buffer;
use crate::list::{ElementType, List};
use crate::object::{Object, Type};
use crate::value::Primitive;
use raddle_status::{Code, Error, Result};
use std::collections::HashMap;
use std::fmt;

/// A type of a module's type table, resolved.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ResolvedType {
    /// Anything: a value or a reference.
    Opaque,
    /// A primitive value.
    Primitive(Primitive),
    /// A reference to an object of this type.
    Ref(Type),
}

impl ResolvedType {
    /// The elements of a list of this type.
    pub(crate) fn element(self) -> ElementType {
        match self {
            ResolvedType::Opaque => ElementType::Variant,
            ResolvedType::Primitive(primitive) => ElementType::Primitive(primitive),
            ResolvedType::Ref(ty) => ElementType::Ref(ty),
        }
    }

    /// The object type, if it is one.
    pub(crate) fn object(self) -> Option<Type> {
        match self {
            ResolvedType::Ref(ty) => Some(ty),
            _ => None,
        }
    }
}

impl fmt::Display for ResolvedType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ResolvedType::Opaque => f.write_str("!vm.opaque"),
            ResolvedType::Primitive(primitive) => write!(f, "{}", format!("{primitive:?}").to_lowercase()),
            ResolvedType::Ref(ty) => write!(f, "{ty:?}"),
        }
    }
}

/// The object types that modules may name. Thread-compatible: built once, then shared.
#[derive(Clone, Debug)]
pub struct Registry {
    types: HashMap<&'static str, Type>,
}

impl Default for Registry {
    fn default() -> Registry {
        Registry::new()
    }
}

impl Registry {
    /// A registry of the built-in types, `vm.buffer` and `vm.list`.
    pub fn new() -> Registry {
        let builtin = [Type::of::<Buffer>(), Type::of::<List>()];
        Registry { types: builtin.into_iter().map(|ty| (ty.name(), ty)).collect() }
    }

    /// Adds a type; adding it twice is allowed.
    ///
    /// # Errors
    /// `ALREADY_EXISTS`: another type has this name.
    pub fn register<T: Object>(&mut self) -> Result {
        self.insert(Type::of::<T>())
    }

    /// Adds a type; see [`register`](Self::register).
    ///
    /// # Errors
    /// `ALREADY_EXISTS`: another type has this name.
    pub fn insert(&mut self, ty: Type) -> Result {
        match self.types.insert(ty.name(), ty) {
            Some(old) if old != ty => {
                self.types.insert(old.name(), old);
                Err(Error::new(Code::AlreadyExists, format!("another object type is named {}", ty.name())))
            }
            _ => Ok(()),
        }
    }

    /// The type that a module's type table means by `full_name`.
    ///
    /// # Errors
    /// `NOT_FOUND`: no such type.
    pub fn resolve(&self, full_name: &str) -> Result<ResolvedType> {
        if let Some(primitive) = Primitive::from_name(full_name) {
            return Ok(ResolvedType::Primitive(primitive));
        }
        if full_name == "!vm.opaque" {
            return Ok(ResolvedType::Opaque);
        }
        if full_name.starts_with("!vm.list") {
            return Ok(ResolvedType::Ref(Type::of::<List>()));
        }
        let found = full_name.strip_prefix('!').and_then(|name| self.types.get(name));
        found
            .map(|ty| ResolvedType::Ref(*ty))
            .ok_or_else(|| Error::new(Code::NotFound, format!("the type {full_name} is not registered")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_resolve_as_modules_spell_them() {
        let registry = Registry::new();
        let check = |name: &str, expected| assert_eq!(registry.resolve(name).ok(), expected, "{name}");
        check("i32", Some(ResolvedType::Primitive(Primitive::I32)));
        check("!vm.opaque", Some(ResolvedType::Opaque));
        check("!vm.buffer", Some(ResolvedType::Ref(Type::of::<Buffer>())));
        check("!vm.list<!vm.opaque>", Some(ResolvedType::Ref(Type::of::<List>())));
        check("!hal.device", None);
        check("vm.buffer", None);
    }

    #[test]
    fn a_name_has_one_type() {
        struct Impostor;
        impl Object for Impostor {
            const NAME: &'static str = "vm.list";
        }
        let mut registry = Registry::new();
        registry.register::<List>().unwrap();
        assert_eq!(registry.register::<Impostor>().unwrap_err().code(), Code::AlreadyExists);
    }
}
