//! Repeated groups of arguments: `C`…`D` in a calling convention.
//!
//! Not here: single arguments ([`super::args`]).

use super::args::{Arg, Element, Reader};
use raddle_status::Result;
use std::marker::PhantomData;

/// A repeated group of arguments, read from the caller's registers when it is iterated: it allocates nothing.
///
/// `E` is one of the types of the table in [`Element`], or a tuple of up to eight of them. All items were checked
/// before the function was called.
pub struct Variadic<'a, E> {
    reader: Reader<'a>,
    count: usize,
    element: PhantomData<fn() -> E>,
}

impl<'a, E: Element> Variadic<'a, E> {
    /// How many items there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The item at `index`.
    pub fn get(&self, index: usize) -> Option<E::Item<'a>> {
        self.iter().nth(index)
    }

    /// The items, in order.
    pub fn iter(&self) -> VariadicIter<'a, E> {
        VariadicIter { reader: self.reader.clone(), left: self.count, element: PhantomData }
    }
}

impl<'a, E: Element> IntoIterator for Variadic<'a, E> {
    type Item = E::Item<'a>;
    type IntoIter = VariadicIter<'a, E>;
    fn into_iter(self) -> VariadicIter<'a, E> {
        self.iter()
    }
}

impl<'a, E: Element> IntoIterator for &Variadic<'a, E> {
    type Item = E::Item<'a>;
    type IntoIter = VariadicIter<'a, E>;
    fn into_iter(self) -> VariadicIter<'a, E> {
        self.iter()
    }
}

/// The items of a [`Variadic`].
pub struct VariadicIter<'a, E> {
    reader: Reader<'a>,
    left: usize,
    element: PhantomData<fn() -> E>,
}

impl<'a, E: Element> Iterator for VariadicIter<'a, E> {
    type Item = E::Item<'a>;

    fn next(&mut self) -> Option<E::Item<'a>> {
        self.left = self.left.checked_sub(1)?;
        let item = E::read(&mut self.reader);
        Some(item.unwrap_or_else(|_| unreachable!("A1: items were checked, and registers don't change")))
    }

    fn nth(&mut self, index: usize) -> Option<E::Item<'a>> {
        let skipped = index.min(self.left);
        self.reader.skip(skipped * E::LETTERS.len());
        self.left -= skipped;
        self.next()
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.left, Some(self.left))
    }
}

impl<E: Element> ExactSizeIterator for VariadicIter<'_, E> {}

impl<E: Element> Arg for Variadic<'_, E> {
    type Item<'a> = Variadic<'a, E>;
    const BORROWS: bool = true;

    fn letters(text: &mut String) {
        <Vec<E>>::letters(text);
    }

    fn read<'a>(reader: &mut Reader<'a>) -> Result<Variadic<'a, E>> {
        let count = reader.repetitions();
        let items = reader.split(count * E::LETTERS.len());
        reader.advance();
        let mut checked = items.clone();
        (0..count).try_for_each(|_| E::read(&mut checked).map(drop))?;
        Ok(Variadic { reader: items, count, element: PhantomData })
    }
}

impl<E: Element> Arg for Vec<E> {
    type Item<'a> = Vec<E::Item<'a>>;
    const BORROWS: bool = E::BORROWS;

    fn letters(text: &mut String) {
        text.push('C');
        E::LETTERS.iter().for_each(|letters| text.push_str(letters));
        text.push('D');
    }

    fn read<'a>(reader: &mut Reader<'a>) -> Result<Vec<E::Item<'a>>> {
        let items = (0..reader.repetitions()).map(|_| E::read(reader)).collect::<Result<_>>()?;
        reader.advance();
        Ok(items)
    }
}
