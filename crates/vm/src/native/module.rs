//! A module written in Rust: a name, functions, and state for each context.
//!
//! Not here: argument types ([`Arg`]), suspension ([`Flow`]).

use super::args::{Arg, Results, Writer};
use super::dynamic::{DynamicEntry, DynamicFunction};
use super::flow::{Flow, Progress, Resume};
use crate::engine::state::Exit;
use crate::machine::Core;
use crate::module::Signature;
use crate::object::{Object, Type};
use crate::translate::code::Site;
use raddle_status::{Code, Error, Result};
use std::fmt;
use std::sync::Arc;

/// A module whose functions are Rust functions. Cloning shares it; thread-safe.
#[derive(Clone)]
pub struct NativeModule(Arc<Inner>);

struct Inner {
    name: Box<str>,
    version: u32,
    types: Vec<Type>,
    exports: Vec<ExportInfo>,
    instantiate: Box<Instantiate>,
}

/// Makes the functions of one context.
type Instantiate = dyn Fn() -> Result<Vec<Arc<dyn Entry>>> + Send + Sync;

struct ExportInfo {
    name: Box<str>,
    convention: Box<str>,
}

/// A function of an instance, ready to be called.
pub(crate) trait Entry: Send + Sync {
    /// Calls it from the instruction at `site`, whose registers are in the core's window. `None` when it is done. Never panics.
    fn call(&self, core: &mut Core, site: &Site) -> Option<Exit>;
    fn name(&self) -> &str;
}

/// What the linker looks at.
#[derive(Clone, Copy)]
pub(crate) struct Export<'a> {
    pub(crate) index: usize,
    pub(crate) convention: &'a str,
}

impl NativeModule {
    /// A module whose functions share nothing.
    pub fn builder(name: impl Into<String>) -> NativeBuilder<()> {
        NativeBuilder::with_state(name, || Ok(()))
    }

    /// A module whose functions get a reference to a state of which each context has its own.
    ///
    /// The state synchronises itself: functions run on any thread, several at a time.
    pub fn with_state<S: Send + Sync + 'static>(
        name: impl Into<String>,
        state: impl Fn() -> Result<S> + Send + Sync + 'static,
    ) -> NativeBuilder<S> {
        NativeBuilder::with_state(name, state)
    }

    /// The name by which imports know it.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The version against which dependencies are checked.
    pub fn version(&self) -> u32 {
        self.0.version
    }

    /// The object types that its functions use.
    pub fn types(&self) -> &[Type] {
        &self.0.types
    }

    /// Names and calling conventions of its functions.
    pub fn exports(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.exports.iter().map(|export| (&*export.name, &*export.convention))
    }

    pub(crate) fn find(&self, name: &str) -> Option<Export<'_>> {
        let index = self.0.exports.iter().position(|export| &*export.name == name)?;
        Some(Export { index, convention: &self.0.exports[index].convention })
    }

    pub(crate) fn instantiate(&self) -> Result<Vec<Arc<dyn Entry>>> {
        (self.0.instantiate)()
    }
}

impl fmt::Debug for NativeModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NativeModule({}, {} functions)", self.name(), self.0.exports.len())
    }
}

type Bind<S> = Box<dyn Fn(&Arc<S>, Arc<str>) -> Arc<dyn Entry> + Send + Sync>;

/// Collects the functions of a native module.
#[must_use = "nothing happens before `build`"]
pub struct NativeBuilder<S> {
    name: String,
    version: u32,
    types: Vec<Type>,
    exports: Vec<(ExportInfo, Bind<S>)>,
    state: Box<dyn Fn() -> Result<S> + Send + Sync>,
}

impl<S: Send + Sync + 'static> NativeBuilder<S> {
    fn with_state(
        name: impl Into<String>,
        state: impl Fn() -> Result<S> + Send + Sync + 'static,
    ) -> NativeBuilder<S> {
        NativeBuilder {
            name: name.into(),
            version: 0,
            types: Vec::new(),
            exports: Vec::new(),
            state: Box::new(state),
        }
    }

    /// The version of the module.
    pub fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// Says that the functions use objects of this type.
    pub fn object<T: Object>(self) -> Self {
        self.object_type(Type::of::<T>())
    }

    /// The same for a type that was [named](Type::named) at run time.
    pub fn object_type(mut self, ty: Type) -> Self {
        self.types.push(ty);
        self
    }

    /// Adds a function: a closure that takes `&S` and up to sixteen arguments and returns a `Result` of the results.
    ///
    /// ```
    /// # use raddle_vm::{Buffer, NativeModule, Variadic};
    /// let module = NativeModule::builder("host")
    ///     .function("lengths", |_: &(), base: i64, buffers: Variadic<'_, (&Buffer, i64)>| {
    ///         Ok(buffers.iter().fold(base, |sum, (buffer, factor)| sum + buffer.len() as i64 * factor))
    ///     })
    ///     .build()?;
    /// assert_eq!(module.exports().next(), Some(("lengths", "0ICrID_I")));
    /// # Ok::<(), raddle_status::Error>(())
    /// ```
    pub fn function<A: 'static, F: NativeFunction<S, A>>(mut self, name: &str, function: F) -> Self {
        let convention = convention::<S, A, F>();
        let function = Arc::new(function);
        let bind: Bind<S> = Box::new(move |state, name| {
            let (state, function) = (state.clone(), function.clone());
            Arc::new(Bound { state, function, name, _arguments: std::marker::PhantomData })
        });
        self.exports.push((ExportInfo { name: name.into(), convention: convention.into() }, bind));
        self
    }

    /// Adds a function by its calling convention (`"0ir_I"`), which it gets and gives values by.
    ///
    /// # Errors
    /// `INVALID_ARGUMENT`, `UNIMPLEMENTED`: the convention is malformed, or of another version.
    pub fn dynamic(
        mut self,
        name: &str,
        convention: &str,
        function: impl DynamicFunction<S>,
    ) -> Result<Self> {
        let signature = Arc::new(Signature::parse(convention)?);
        let function = Arc::new(function);
        let bind: Bind<S> = Box::new(move |state, name| {
            let (state, function) = (state.clone(), function.clone());
            Arc::new(DynamicEntry { state, function, name, signature: signature.clone() })
        });
        self.exports.push((ExportInfo { name: name.into(), convention: convention.into() }, bind));
        Ok(self)
    }

    /// The module.
    ///
    /// # Errors
    /// `ALREADY_EXISTS`: two functions have one name. `INVALID_ARGUMENT`: a name is empty.
    pub fn build(self) -> Result<NativeModule> {
        if self.name.is_empty() || self.exports.iter().any(|(export, _)| export.name.is_empty()) {
            return Err(Error::new(Code::InvalidArgument, "a native module and its functions need names"));
        }
        let (exports, binds): (Vec<_>, Vec<_>) = self.exports.into_iter().unzip();
        for (index, export) in exports.iter().enumerate() {
            if exports[..index].iter().any(|other| other.name == export.name) {
                let text = format!("native module {} has two functions named {}", self.name, export.name);
                return Err(Error::new(Code::AlreadyExists, text));
            }
        }
        let module: Arc<str> = self.name.as_str().into();
        let names: Vec<Arc<str>> =
            exports.iter().map(|export| format!("{module}.{}", export.name).into()).collect();
        let state = self.state;
        let instantiate = Box::new(move || {
            let state = Arc::new(state()?);
            Ok(binds.iter().zip(&names).map(|(bind, name)| bind(&state, name.clone())).collect())
        });
        let (name, version, types) = (self.name.into(), self.version, self.types);
        Ok(NativeModule(Arc::new(Inner { name, version, types, exports, instantiate })))
    }
}

fn convention<S, A, F: NativeFunction<S, A>>() -> String {
    let (mut arguments, mut results) = (String::new(), String::new());
    F::letters(&mut arguments, &mut results);
    let or_void = |letters: String| if letters.is_empty() { "v".to_owned() } else { letters };
    format!("0{}_{}", or_void(arguments), or_void(results))
}

struct Bound<S, A, F> {
    state: Arc<S>,
    function: Arc<F>,
    name: Arc<str>,
    _arguments: std::marker::PhantomData<fn(A)>,
}

impl<S: Send + Sync, A, F: NativeFunction<S, A>> Entry for Bound<S, A, F> {
    fn call(&self, core: &mut Core, site: &Site) -> Option<Exit> {
        super::guarded(core, &|| self.name.to_string(), |core| {
            self.function.call(&self.state, &mut Writer::new(core, site))
        })
    }

    fn name(&self) -> &str {
        &self.name
    }
}

/// A Rust function that programs can call: `Fn(&S, A1, …) -> Result<R>`, or `Result<Flow<R, K>>` if it may suspend.
pub trait NativeFunction<S, A>: Send + Sync + 'static {
    /// Adds the letters of arguments and results.
    #[doc(hidden)]
    fn letters(arguments: &mut String, results: &mut String);

    /// Reads the arguments, calls, writes the results.
    ///
    /// # Errors
    /// What the function fails with; `INVALID_ARGUMENT` if a reference is null or of another type.
    #[doc(hidden)]
    #[allow(private_interfaces)]
    fn call(&self, state: &S, writer: &mut Writer<'_>) -> Result<Progress>;
}

/// Marks functions that can suspend, so that both kinds can have one trait.
pub struct Yieldable;

/// Calls a function of which two signatures are known, by one of them.
macro_rules! call {
    ($function:expr, $state:expr, $($name:ident)*) => {{
        #[inline(always)]
        #[allow(non_snake_case, clippy::too_many_arguments)]
        fn call<S, Out, $($name),*>(function: impl Fn(&S, $($name),*) -> Out, state: &S, $($name: $name),*) -> Out {
            function(state, $($name),*)
        }
        call($function, $state, $($name),*)
    }};
}

macro_rules! functions {
    ($($($name:ident)*;)*) => { $(
        impl<S, F, R, $($name: Arg),*> NativeFunction<S, (R, $($name,)*)> for F
        where
            F: Fn(&S, $($name),*) -> Result<R> + Send + Sync + 'static,
            F: for<'a> Fn(&S, $($name::Item<'a>),*) -> Result<R>,
            R: Results,
        {
            fn letters(arguments: &mut String, results: &mut String) {
                $($name::letters(arguments);)*
                let _ = arguments;
                R::letters(results);
            }

            #[inline]
            #[allow(private_interfaces, non_snake_case, unused_variables, unused_mut)]
            fn call(&self, state: &S, writer: &mut Writer<'_>) -> Result<Progress> {
                let borrows = false $(|| $name::BORROWS)*;
                let mut reader = writer.reader(borrows);
                $(let $name = $name::read(&mut reader)?;)*
                let results = call!(self, state, $($name)*)?;
                if borrows {
                    writer.release_moved();
                }
                results.write(writer);
                Ok(Progress::Done)
            }
        }

        impl<S, F, R, K, $($name: Arg),*> NativeFunction<S, (Yieldable, R, K, $($name,)*)> for F
        where
            F: Fn(&S, $($name),*) -> Result<Flow<R, K>> + Send + Sync + 'static,
            F: for<'a> Fn(&S, $($name::Item<'a>),*) -> Result<Flow<R, K>>,
            R: Results,
            K: Resume<Output = R>,
        {
            fn letters(arguments: &mut String, results: &mut String) {
                $($name::letters(arguments);)*
                let _ = arguments;
                R::letters(results);
            }

            #[inline]
            #[allow(private_interfaces, non_snake_case, unused_variables, unused_mut)]
            fn call(&self, state: &S, writer: &mut Writer<'_>) -> Result<Progress> {
                let borrows = false $(|| $name::BORROWS)*;
                let mut reader = writer.reader(borrows);
                $(let $name = $name::read(&mut reader)?;)*
                let flow = call!(self, state, $($name)*)?;
                if borrows {
                    writer.release_moved();
                }
                Ok(Progress::of(flow, writer))
            }
        }
    )* };
}

functions! {
    ; A; A B; A B C; A B C D; A B C D E; A B C D E G; A B C D E G H; A B C D E G H I; A B C D E G H I J;
    A B C D E G H I J L; A B C D E G H I J L M; A B C D E G H I J L M N; A B C D E G H I J L M N O;
    A B C D E G H I J L M N O P; A B C D E G H I J L M N O P Q; A B C D E G H I J L M N O P Q T;
}
