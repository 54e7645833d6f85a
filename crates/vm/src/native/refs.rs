//! References as arguments and results of native functions: owned or borrowed, typed or not, null or not.
//!
//! Not here: where they are read from ([`super::args`]).

use super::args::{Element, Reader, Results, Single, Writer, sealed::Sealed};
use crate::object::{Object, Ref, RefOf};
use raddle_status::{Code, Error, Result};

fn null<T: Object>() -> Error {
    Error::new(Code::InvalidArgument, format!("expected a reference to {}, got null", T::NAME))
}

#[cold]
fn mistyped<T: Object>(reference: &Ref) -> Error {
    let text = format!("expected a reference to {}, got one to {}", T::NAME, reference.ty().name());
    Error::new(Code::InvalidArgument, text)
}

fn typed<T: Object>(reference: Ref) -> Result<RefOf<T>> {
    reference.downcast().map_err(|other| mistyped::<T>(&other))
}

fn typed_ref<T: Object>(reference: &Ref) -> Result<&RefOf<T>> {
    reference.downcast_ref().ok_or_else(|| mistyped::<T>(reference))
}

macro_rules! references {
    ($([$($generics:tt)*] $type:ty => $item:ty, $borrows:literal, |$reader:ident| $read:expr;)*) => { $(
        impl<$($generics)*> Sealed for $type {}

        impl<$($generics)*> Element for $type {
            type Item<'a> = $item;
            const LETTERS: &'static [&'static str] = &["r"];
            const BORROWS: bool = $borrows;
            #[inline]
            fn read<'a>($reader: &mut Reader<'a>) -> Result<$item> {
                $read
            }
        }

        impl<$($generics)*> Single for $type {
            const LETTER: &'static str = "r";
        }
    )* };
}

references! {
    [] Option<Ref> => Option<Ref>, false, |reader| Ok(reader.take_ref());
    [T: Object] RefOf<T> => RefOf<T>, false, |reader| typed(reader.take_ref().ok_or_else(null::<T>)?);
    [T: Object] Option<RefOf<T>> => Option<RefOf<T>>, false, |reader| reader.take_ref().map(typed).transpose();
    [] Option<&Ref> => Option<&'a Ref>, true, |reader| Ok(reader.borrow_ref());
    [T: Object] &RefOf<T> => &'a RefOf<T>, true, |reader| typed_ref(reader.borrow_ref().ok_or_else(null::<T>)?);
    [T: Object] Option<&RefOf<T>> => Option<&'a RefOf<T>>, true,
        |reader| reader.borrow_ref().map(typed_ref).transpose();
    [T: Object] &T => &'a T, true, |reader| <&RefOf<T>>::read(reader).map(|reference| &**reference);
    [T: Object] Option<&T> => Option<&'a T>, true,
        |reader| <Option<&RefOf<T>>>::read(reader).map(|reference| reference.map(|reference| &**reference));
}

impl Results for Option<Ref> {
    fn letters(text: &mut String) {
        text.push('r');
    }
    #[inline]
    fn write(self, writer: &mut Writer<'_>) {
        writer.put_ref(self);
    }
}

impl<T: Object> Results for RefOf<T> {
    fn letters(text: &mut String) {
        text.push('r');
    }
    #[inline]
    fn write(self, writer: &mut Writer<'_>) {
        writer.put_ref(Some(self.into_ref()));
    }
}

impl<T: Object> Results for Option<RefOf<T>> {
    fn letters(text: &mut String) {
        text.push('r');
    }
    #[inline]
    fn write(self, writer: &mut Writer<'_>) {
        writer.put_ref(self.map(RefOf::into_ref));
    }
}
