//! Tensors as JSON: arrays in arrays, as deep as the tensor has extents.

use super::interface::TensorKind;
use super::json::{float, from_f32, from_f64, short};
use raddle_hal::tensor::{Number, numbers, put_number};
use raddle_hal::{Allocator, BufferView};
use raddle_status::{Code, Error, Result};
use raddle_vm::Value;
use serde_json::Value as Json;

/// Extents of a tensor at most: what is nested deeper is refused before it is looked at.
const EXTENTS_MAX: usize = 32;

/// The tensor of this kind.
///
/// # Errors
/// INVALID_ARGUMENT: another shape, arrays of different lengths, or numbers that the elements can't be.
pub(super) fn from_json(json: &Json, kind: &TensorKind, allocator: &Allocator) -> Result<Value> {
    let mut extents = Vec::new();
    let mut first = json;
    while let Json::Array(inner) = first
        && extents.len() < EXTENTS_MAX
    {
        extents.push(inner.len() as u64);
        let Some(next) = inner.first() else { break };
        first = next;
    }
    let Some(shape) = kind.admit(&extents) else {
        let text = format!("expected {kind}, got arrays of lengths {extents:?}");
        return Err(Error::new(Code::InvalidArgument, text));
    };
    let mut bytes = Vec::new();
    flatten(json, &extents, kind, &mut bytes)?;
    Ok(BufferView::from_bytes(allocator, kind.element, &shape, &bytes)?.into_value())
}

fn flatten(json: &Json, extents: &[u64], kind: &TensorKind, bytes: &mut Vec<u8>) -> Result {
    let Some((extent, inner)) = extents.split_first() else {
        return put_number(number(json)?, kind.element, bytes);
    };
    match json {
        Json::Array(all) if all.len() as u64 == *extent => {
            all.iter().try_for_each(|one| flatten(one, inner, kind, bytes))
        }
        other => {
            let text = format!("expected an array of {extent} in a tensor, got {}", short(other));
            Err(Error::new(Code::InvalidArgument, text))
        }
    }
}

fn number(json: &Json) -> Result<Number> {
    let number = match json {
        Json::Bool(value) => Some(Number::Truth(*value)),
        Json::Number(number) => number
            .as_i64()
            .map(Number::Signed)
            .or_else(|| number.as_u64().map(Number::Unsigned))
            .or_else(|| number.as_f64().map(Number::Float64)),
        other => float(other).map(Number::Float64),
    };
    let text = || format!("expected a number in a tensor, got {}", short(json));
    number.ok_or_else(|| Error::new(Code::InvalidArgument, text()))
}

/// The tensor as JSON; one without elements is an empty array.
///
/// # Errors
/// UNIMPLEMENTED: its elements are no numbers. OUT_OF_RANGE: it has more elements than its buffer holds.
pub(super) fn to_json(view: &BufferView) -> Result<Json> {
    let elements = numbers(view)?;
    let count = view.shape().iter().try_fold(1_u64, |count, extent| count.checked_mul(*extent));
    if count != Some(elements.len() as u64) {
        return Err(Error::new(Code::OutOfRange, format!("{view:?} is larger than its buffer")));
    }
    match elements.is_empty() {
        true => Ok(Json::Array(Vec::new())),
        false => Ok(nested(view.shape(), &mut elements.into_iter())),
    }
}

fn nested(shape: &[u64], elements: &mut impl Iterator<Item = Number>) -> Json {
    match shape.split_first() {
        Some((extent, inner)) => Json::Array((0..*extent).map(|_| nested(inner, elements)).collect()),
        None => match elements.next() {
            None => Json::Null,
            Some(Number::Truth(value)) => value.into(),
            Some(Number::Signed(value)) => value.into(),
            Some(Number::Unsigned(value)) => value.into(),
            Some(Number::Float32(value)) => from_f32(value),
            Some(Number::Float64(value)) => from_f64(value),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use raddle_hal::ElementType;

    fn read(text: &str, element: &str, shape: &[Option<u64>]) -> Result<Value> {
        let element = ElementType::from_name(element).unwrap();
        let kind = TensorKind { element, shape: shape.to_vec() };
        from_json(&serde_json::from_str(text).unwrap(), &kind, &Allocator::new(1 << 20))
    }

    #[test]
    fn tensors_go_there_and_back() {
        for (text, element, shape, back) in [
            ("[[1,2],[3,4]]", "i32", &[Some(2), Some(2)][..], "[[1,2],[3,4]]"),
            ("[0.1,\"NaN\",\"-Infinity\"]", "f32", &[None], "[0.1,\"NaN\",\"-Infinity\"]"),
            ("[true,0]", "i1", &[None], "[true,false]"),
            ("[1.5]", "f16", &[Some(1)], "[1.5]"),
            ("7", "ui8", &[], "7"),
            ("[1,2]", "f64", &[Some(1), Some(2)], "[[1.0,2.0]]"),
            ("[]", "f32", &[None], "[]"),
        ] {
            let value = read(text, element, shape).unwrap();
            let Value::Ref(Some(view)) = &value else { panic!("{value:?}") };
            assert_eq!(to_json(view.get::<BufferView>().unwrap()).unwrap().to_string(), back);
        }
    }

    #[test]
    fn what_is_no_such_tensor_is_refused() {
        let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
        for (text, element, shape) in [
            ("[[1,2],[3]]", "i32", &[Some(2), Some(2)][..]),
            ("[[1,2],3]", "i32", &[Some(2), Some(2)]),
            ("[1,2,3]", "i32", &[Some(2)]),
            ("[1.5]", "i32", &[Some(1)]),
            ("[256]", "ui8", &[Some(1)]),
            ("[null]", "f32", &[Some(1)]),
            ("{}", "f32", &[]),
            (&deep, "f32", &[None]),
        ] {
            let error = read(text, element, shape).unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument, "{text}: {error}");
        }
    }
}
