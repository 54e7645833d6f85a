//! What a function takes and returns, as far as files of items go: numbers, references, and tensors of declared shapes.
//!
//! Which references are tensors, of which shape and elements, is in the declaration that compilers leave in a module:
//! `sync func @f(%input0: tensor<4x?xf32>, %input1: i32) -> (%output0: tensor<4xf32>)`.

use super::super::super::function::Function;
use raddle_hal::{Allocator, ElementType};
use raddle_status::{Code, Error, Result};
use raddle_vm::Scalar;
use std::fmt;

/// An argument or a result.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A number, or a reference of which nothing more is known.
    Plain(Scalar),
    /// A tensor.
    Tensor(TensorKind),
}

/// What is declared of a tensor.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TensorKind {
    /// Its elements.
    pub element: ElementType,
    /// Its extents; `None` for one that may be any.
    pub shape: Vec<Option<u64>>,
}

impl TensorKind {
    /// The extents, if each is declared.
    pub fn fixed(&self) -> Option<Vec<u64>> {
        self.shape.iter().copied().collect()
    }

    /// The shape that a tensor with these extents is passed in: they are what is declared, but for extents of 1.
    pub(super) fn admit(&self, extents: &[u64]) -> Option<Vec<u64>> {
        let fits = |extents: &[u64]| {
            extents.len() == self.shape.len()
                && self
                    .shape
                    .iter()
                    .zip(extents)
                    .all(|(declared, own)| declared.is_none_or(|one| one == *own))
        };
        let with_leading = [&[1], extents].concat();
        let more =
            |extents: &[u64]| -> Vec<u64> { extents.iter().copied().filter(|one| *one != 1).collect() };
        match self.fixed() {
            _ if fits(extents) => Some(extents.to_vec()),
            _ if fits(&with_leading) => Some(with_leading),
            Some(fixed) if more(&fixed) == more(extents) => Some(fixed),
            _ => None,
        }
    }
}

impl fmt::Display for TensorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tensor<")?;
        for extent in &self.shape {
            match extent {
                Some(extent) => write!(f, "{extent}x")?,
                None => f.write_str("?x")?,
            }
        }
        write!(f, "{}>", self.element)
    }
}

/// See the head of this file.
#[derive(Clone, Debug)]
pub struct Interface {
    /// What a call takes.
    pub arguments: Vec<Kind>,
    /// What it returns.
    pub results: Vec<Kind>,
    /// Whether it writes results into arguments: then one tensor can't be the argument of several calls.
    pub writes_arguments: bool,
    allocator: Option<Allocator>,
}

impl Interface {
    /// That of a function. Tensors, if there are any, will live in this memory.
    pub fn of(function: &Function, allocator: Option<&Allocator>) -> Interface {
        let mut arguments: Vec<Kind> = function.signature().scalars().map(Kind::Plain).collect();
        if function.takes_fences() {
            arguments.truncate(arguments.len() - 2);
        }
        let mut results: Vec<Kind> =
            function.signature().results().iter().copied().map(Kind::Plain).collect();
        let declaration = function.attr("iree.abi.declaration").unwrap_or_default();
        if let Some((inputs, outputs)) = parse(declaration) {
            refine(&mut arguments, &inputs);
            refine(&mut results, &outputs);
        }
        let writes_arguments = declaration.contains("iree.abi.output");
        Interface { arguments, results, writes_arguments, allocator: allocator.cloned() }
    }

    /// Where tensors are made.
    ///
    /// # Errors
    /// FAILED_PRECONDITION: nowhere.
    pub(super) fn allocator(&self) -> Result<&Allocator> {
        let none = || Error::new(Code::FailedPrecondition, "there is no device for tensors");
        self.allocator.as_ref().ok_or_else(none)
    }
}

/// Replaces references by what is declared of them, if the declaration is of as many.
fn refine(kinds: &mut [Kind], declared: &[Option<TensorKind>]) {
    if kinds.len() != declared.len() {
        return;
    }
    for (kind, declared) in kinds.iter_mut().zip(declared) {
        if let (Kind::Plain(Scalar::Ref), Some(tensor)) = (&kind, declared) {
            *kind = Kind::Tensor(tensor.clone());
        }
    }
}

type Declared = Vec<Option<TensorKind>>;

/// The tensors among arguments and results, in their places.
fn parse(declaration: &str) -> Option<(Declared, Declared)> {
    let (inputs, outputs) = declaration.split_once(") -> (")?;
    let inputs = inputs.split_once('(')?.1;
    let outputs = outputs.strip_suffix(')')?;
    Some((list(inputs), list(outputs)))
}

/// `%input0: tensor<4xf32> {…}, %input1: i32`
fn list(text: &str) -> Declared {
    let mut depth = 0_usize;
    let parts = text.split(|letter| {
        match letter {
            '<' | '{' | '(' | '[' => depth += 1,
            '>' | '}' | ')' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    });
    parts.filter(|part| !part.trim().is_empty()).map(tensor).collect()
}

/// `%input0: tensor<4x?xf32>`
fn tensor(text: &str) -> Option<TensorKind> {
    let (_, ty) = text.split_once(": ")?;
    let inside = ty.trim().strip_prefix("tensor<")?.split_once('>')?.0;
    let mut words: Vec<&str> = inside.split('x').collect();
    let element = ElementType::from_name(words.pop()?)?;
    let extent = |word: &str| if word == "?" { Some(None) } else { word.parse().ok().map(Some) };
    let shape = words.into_iter().map(extent).collect::<Option<_>>()?;
    Some(TensorKind { element, shape })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn declarations_are_read() {
        let text = "sync func @f(%input0: tensor<4x?xf32>, %input1: tensor<8xbf16> {iree.abi.output = 0 : index}, \
                    %input2: i32, %input3: tensor<f64>) -> (%output0: tensor<8xi1>, %output1: !hal.fence)";
        let (inputs, outputs) = parse(text).unwrap();
        let texts = |all: &Declared| -> Vec<String> {
            all.iter().map(|one| one.as_ref().map_or("none".to_owned(), TensorKind::to_string)).collect()
        };
        assert_eq!(texts(&inputs), ["tensor<4x?xf32>", "tensor<8xbf16>", "none", "tensor<f64>"]);
        assert_eq!(texts(&outputs), ["tensor<8xi1>", "none"]);
        assert_eq!(parse("sync func @reset() -> ()").unwrap(), (vec![], vec![]));
        for text in ["", "func", "f() -> (tensor<", "f(%a: tensor<4x>) -> ("] {
            assert!(
                parse(text)
                    .is_none_or(|(inputs, outputs)| inputs.iter().chain(&outputs).all(Option::is_none)),
                "{text}"
            );
        }
    }

    #[test]
    fn a_row_may_leave_out_extents_of_one() {
        let admit = |declared: &str, extents: &[u64]| {
            tensor(&format!("%a: tensor<{declared}>")).unwrap().admit(extents)
        };
        assert_eq!(admit("1x28x28x1xf32", &[28, 28, 1]), Some(vec![1, 28, 28, 1]));
        assert_eq!(admit("1x28x28x1xf32", &[28, 28]), Some(vec![1, 28, 28, 1]));
        assert_eq!(admit("?x8xf32", &[8]), Some(vec![1, 8]));
        assert_eq!(admit("?x8xf32", &[3, 8]), Some(vec![3, 8]));
        assert_eq!(admit("f32", &[]), Some(vec![]));
        for (declared, extents) in
            [("4x2xf32", &[2, 4][..]), ("?x8xf32", &[9]), ("4xf32", &[]), ("8xf32", &[4, 2])]
        {
            assert_eq!(admit(declared, extents), None, "{declared}");
        }
    }
}
