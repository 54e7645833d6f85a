//! Values as JSON.
//!
//! | kind | JSON |
//! |---|---|
//! | i32, i64 | a number without a fraction, in range; i32 up to 4294967295, as its bits |
//! | f32, f64 | a number, or `"NaN"`, `"Infinity"`, `"-Infinity"` |
//! | buffer | a string, if its bytes are UTF-8, otherwise `{"hex": "00ff…"}` |
//! | list | an array (results only) |
//! | tensor | arrays in arrays of numbers, true and false (`json_tensor.rs`) |
//! | no reference | `null` |

use super::json_tensor;
use raddle_hal::BufferView;
use raddle_status::{Code, Error, Result};
use raddle_vm::{Buffer, List, Ref, Scalar, Value};
use serde_json::Value as Json;
use std::sync::Arc;

/// How deep lists within lists are written. Unit: lists.
const DEPTH_MAX: usize = 32;

/// The value of this kind.
///
/// # Errors
/// INVALID_ARGUMENT: it is of another kind, or out of range.
pub fn value_from_json(json: &Json, kind: Scalar) -> Result<Value> {
    let value = match kind {
        Scalar::I32 => json.as_i64().and_then(|value| match value {
            0..=0xffff_ffff => Some(Value::I32(value as u32 as i32)),
            _ => i32::try_from(value).ok().map(Value::I32),
        }),
        Scalar::I64 => json.as_i64().or_else(|| json.as_u64().map(|value| value as i64)).map(Value::I64),
        Scalar::F32 => float(json).map(|value| Value::F32(value as f32)),
        Scalar::F64 => float(json).map(Value::F64),
        Scalar::Ref => reference(json).map(Value::Ref),
    };
    value.ok_or_else(|| {
        let name = match kind {
            Scalar::I32 => "an i32",
            Scalar::I64 => "an i64",
            Scalar::F32 => "an f32",
            Scalar::F64 => "an f64",
            Scalar::Ref => "a string, {\"hex\": …} or null",
        };
        Error::new(Code::InvalidArgument, format!("expected {name}, got {}", short(json)))
    })
}

pub(super) fn short(json: &Json) -> String {
    let text = json.to_string();
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

pub(super) fn float(json: &Json) -> Option<f64> {
    json.as_f64().or_else(|| match json.as_str()? {
        "NaN" => Some(f64::NAN),
        "Infinity" => Some(f64::INFINITY),
        "-Infinity" => Some(f64::NEG_INFINITY),
        _ => None,
    })
}

fn reference(json: &Json) -> Option<Option<Ref>> {
    let bytes = match json {
        Json::Null => return Some(None),
        Json::String(text) => text.as_bytes().to_vec(),
        Json::Object(members) if members.len() == 1 => from_hex(members.get("hex")?.as_str()?)?,
        _ => return None,
    };
    Some(Some(Ref::new(Buffer::constant(Arc::new(bytes)))))
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    let digit = |at: usize| char::from(digits[at]).to_digit(16);
    digits.len().is_multiple_of(2).then_some(())?;
    (0..digits.len()).step_by(2).map(|at| Some((digit(at)? << 4 | digit(at + 1)?) as u8)).collect()
}

/// The value as JSON.
///
/// # Errors
/// UNIMPLEMENTED: it is an object that has no form in JSON, or lists nested too deep.
pub fn to_json(value: &Value) -> Result<Json> {
    nested(value, 0)
}

fn nested(value: &Value, depth: usize) -> Result<Json> {
    Ok(match value {
        Value::Empty | Value::Ref(None) => Json::Null,
        Value::I8(value) => (*value).into(),
        Value::I16(value) => (*value).into(),
        Value::I32(value) => (*value).into(),
        Value::I64(value) => (*value).into(),
        Value::F32(value) => from_f32(*value),
        Value::F64(value) => from_f64(*value),
        Value::Ref(Some(reference)) => return object(reference, depth),
    })
}

/// The shortest decimal number that reads back as the same f32.
pub(super) fn from_f32(value: f32) -> Json {
    if !value.is_finite() {
        return not_finite(value.into());
    }
    let text = format!("{value:?}");
    text.parse::<f64>().map_or(Json::Null, Json::from)
}

pub(super) fn from_f64(value: f64) -> Json {
    if value.is_finite() { Json::from(value) } else { not_finite(value) }
}

fn not_finite(value: f64) -> Json {
    Json::from(match value {
        value if value.is_nan() => "NaN",
        value if value > 0.0 => "Infinity",
        _ => "-Infinity",
    })
}

fn object(reference: &Ref, depth: usize) -> Result<Json> {
    if let Some(buffer) = reference.get::<Buffer>() {
        return Ok(match String::from_utf8(buffer.to_vec()) {
            Ok(text) => Json::String(text),
            Err(error) => {
                let hex: String = error.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
                serde_json::json!({ "hex": hex })
            }
        });
    }
    if let Some(view) = reference.get::<BufferView>() {
        return json_tensor::to_json(view);
    }
    let name = reference.ty().name();
    let refused =
        |why: &str| Error::new(Code::Unimplemented, format!("a result is {why}, which has no form in JSON"));
    let Some(list) = reference.get::<List>() else {
        return Err(refused(&format!("an object of type {name}")));
    };
    if depth == DEPTH_MAX {
        return Err(refused("a list nested too deep"));
    }
    list.values()?.iter().map(|value| nested(value, depth + 1)).collect::<Result<Vec<_>>>().map(Json::Array)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_there_and_back() {
        for (text, kind, back) in [
            ("7", Scalar::I32, "7"),
            ("4294967295", Scalar::I32, "-1"),
            ("-9223372036854775808", Scalar::I64, "-9223372036854775808"),
            ("0.1", Scalar::F32, "0.1"),
            ("0.1", Scalar::F64, "0.1"),
            ("\"NaN\"", Scalar::F32, "\"NaN\""),
            ("\"-Infinity\"", Scalar::F64, "\"-Infinity\""),
            ("\"grüß\"", Scalar::Ref, "\"grüß\""),
            ("{\"hex\":\"00fF\"}", Scalar::Ref, "{\"hex\":\"00ff\"}"),
            ("null", Scalar::Ref, "null"),
        ] {
            let value = value_from_json(&serde_json::from_str(text).unwrap(), kind).unwrap();
            assert_eq!(to_json(&value).unwrap().to_string(), back, "{text}");
        }
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (text, kind) in [
            ("4294967296", Scalar::I32),
            ("-2147483649", Scalar::I32),
            ("1.5", Scalar::I64),
            ("\"7\"", Scalar::I32),
            ("null", Scalar::F32),
            ("[1]", Scalar::F64),
            ("{\"hex\":\"0\"}", Scalar::Ref),
            ("{\"hex\":\"zz\"}", Scalar::Ref),
            ("{\"hex\":\"00\",\"x\":1}", Scalar::Ref),
            ("5", Scalar::Ref),
        ] {
            let error = value_from_json(&serde_json::from_str(text).unwrap(), kind).unwrap_err();
            assert_eq!(error.code(), Code::InvalidArgument, "{text}: {error}");
        }
    }
}
