//! Functions with Rust types: the signature is checked once, when the function is looked up.
//!
//! Not here: dynamic values (`values.rs`), what an invocation can do (`invocation.rs`).

use crate::function::Function;
use crate::invocation::Invocation;
use crate::values::{Arguments, FromOutputs, Outputs};
use raddle_status::{Code, Error, Result};
use raddle_task::Priority;
use raddle_vm::{Ref, Scalar};
use raddle_wait::Moment;
use std::fmt;
use std::marker::PhantomData;
use std::ops::{Deref, DerefMut};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

/// A type of one argument or result, with its letter in calling conventions.
pub trait Typed: sealed::Sealed {
    /// The letter.
    #[doc(hidden)]
    const LETTER: char;
}

mod sealed {
    pub trait Sealed {}
}

macro_rules! typed {
    ($($type:ty: $letter:literal),*) => { $(
        impl sealed::Sealed for $type {}
        impl Typed for $type {
            const LETTER: char = $letter;
        }
        impl ResultTypes for $type {
            fn letters() -> String {
                <$type as Typed>::LETTER.into()
            }
        }
    )* };
}
typed!(i32: 'i', i64: 'I', f32: 'f', f64: 'F', Ref: 'r', Option<Ref>: 'r');

/// A tuple of argument types: `(i32, f64)`.
pub trait ArgumentTypes: Arguments {
    /// Their letters.
    #[doc(hidden)]
    fn letters() -> String;
}

/// A result type, or a tuple of them.
pub trait ResultTypes: FromOutputs {
    /// Their letters.
    #[doc(hidden)]
    fn letters() -> String;
}

macro_rules! tuples {
    ($($($name:ident)*;)*) => { $(
        impl<$($name: Typed + Into<raddle_vm::Value>),*> ArgumentTypes for ($($name,)*) {
            fn letters() -> String {
                let letters: &[char] = &[$($name::LETTER),*];
                letters.iter().collect()
            }
        }

        impl<$($name: Typed + crate::values::FromValue),*> ResultTypes for ($($name,)*) {
            fn letters() -> String {
                let letters: &[char] = &[$($name::LETTER),*];
                letters.iter().collect()
            }
        }
    )* };
}
tuples! { ; A; A B; A B C; A B C D; A B C D E; A B C D E F; A B C D E F G; A B C D E F G H; }

/// A function whose types are known to be right. Cheap to clone; thread-safe. See [`Function::typed`].
///
/// ```no_run
/// # use raddle::*;
/// # fn add(session: &Session) -> Result {
/// let add = session.function("waits.add")?.typed::<(i32, i32), i32>()?;
/// assert_eq!(add.invoke((3, 4)).wait()?, 7);
/// # Ok(())
/// # }
/// ```
pub struct TypedFunction<A, R> {
    function: Function,
    types: PhantomData<fn(A) -> R>,
}

impl<A: ArgumentTypes, R: ResultTypes> TypedFunction<A, R> {
    pub(crate) fn new(function: Function) -> Result<TypedFunction<A, R>> {
        let signature = function.signature();
        let arguments: String = signature.scalars().map(Scalar::letter).collect();
        let results: String = signature.results().iter().copied().map(Scalar::letter).collect();
        let (takes, gives) = (A::letters(), R::letters());
        if signature.is_variadic() || arguments != takes || results != gives {
            let text = format!(
                "{} takes ({}) and returns ({}), not ({}) and ({})",
                function.name(),
                words(&arguments),
                words(&results),
                words(&takes),
                words(&gives)
            );
            return Err(Error::new(Code::InvalidArgument, text));
        }
        Ok(TypedFunction { function, types: PhantomData })
    }

    /// See [`Function::invoke`].
    pub fn invoke(&self, arguments: A) -> TypedInvocation<R> {
        TypedInvocation { invocation: self.function.invoke(arguments), result: PhantomData }
    }
}

fn words(letters: &str) -> String {
    let word = |letter| match letter {
        'i' => "i32",
        'I' => "i64",
        'f' => "f32",
        'F' => "f64",
        'r' => "a reference",
        _ => "a list",
    };
    letters.chars().map(word).collect::<Vec<_>>().join(", ")
}

impl<A, R> Clone for TypedFunction<A, R> {
    fn clone(&self) -> TypedFunction<A, R> {
        TypedFunction { function: self.function.clone(), types: PhantomData }
    }
}

impl<A, R> Deref for TypedFunction<A, R> {
    type Target = Function;
    fn deref(&self) -> &Function {
        &self.function
    }
}

impl<A, R> fmt::Debug for TypedFunction<A, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Typed{:?}", self.function)
    }
}

/// An [`Invocation`] whose result has a Rust type.
#[must_use = "an invocation begins when it is waited for, polled, or started"]
pub struct TypedInvocation<R> {
    invocation: Invocation,
    result: PhantomData<fn() -> R>,
}

impl<R: ResultTypes> TypedInvocation<R> {
    /// See [`Invocation::deadline`].
    pub fn deadline(self, moment: Moment) -> TypedInvocation<R> {
        TypedInvocation { invocation: self.invocation.deadline(moment), ..self }
    }

    /// See [`Invocation::priority`].
    pub fn priority(self, priority: Priority) -> TypedInvocation<R> {
        TypedInvocation { invocation: self.invocation.priority(priority), ..self }
    }

    /// See [`Invocation::wait`].
    ///
    /// # Errors
    /// As there.
    pub fn wait(mut self) -> Result<R> {
        self.wait_until(raddle_wait::NEVER)
    }

    /// See [`Invocation::wait_until`].
    ///
    /// # Errors
    /// As there.
    pub fn wait_until(&mut self, patience: Moment) -> Result<R> {
        R::from_outputs(&self.invocation.wait_until(patience)?)
    }

    /// See [`Invocation::wait_for`].
    ///
    /// # Errors
    /// As there.
    pub fn wait_for(&mut self, patience: Duration) -> Result<R> {
        R::from_outputs(&self.invocation.wait_for(patience)?)
    }

    /// See [`Invocation::on_complete`].
    pub fn on_complete(self, callback: impl FnOnce(Result<R>) + Send + 'static) {
        self.invocation.on_complete(|result| callback(typed(result)));
    }

    /// The invocation without the type.
    pub fn into_untyped(self) -> Invocation {
        self.invocation
    }
}

fn typed<R: FromOutputs>(result: Result<Outputs>) -> Result<R> {
    R::from_outputs(&result?)
}

impl<R: ResultTypes> Future for TypedInvocation<R> {
    type Output = Result<R>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<R>> {
        Pin::new(&mut self.invocation).poll(context).map(typed)
    }
}

impl<R> Deref for TypedInvocation<R> {
    type Target = Invocation;
    fn deref(&self) -> &Invocation {
        &self.invocation
    }
}

impl<R> DerefMut for TypedInvocation<R> {
    fn deref_mut(&mut self) -> &mut Invocation {
        &mut self.invocation
    }
}

impl<R> fmt::Debug for TypedInvocation<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Typed{:?}", self.invocation)
    }
}
