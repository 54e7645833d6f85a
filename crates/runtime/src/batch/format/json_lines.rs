//! JSON Lines: an item, and a result, on each line.
//!
//! ```text
//! in:  {"id": "a", "inputs": [3, 4]}    or, without a name of its own:  [3, 4]
//! out: {"id":"a","status":"OK","outputs":[7]}
//!      {"id":"b","status":"INVALID_ARGUMENT","error":"expected 2 arguments, got 1; …","attempts":2}
//! ```
//!
//! Lines are numbered from 0; an item without a name is named by its number. Empty lines are no items, and have no number.
//! A line that can't be read is an item that fails, and harms no other.

use super::super::engine::Sink;
use super::super::item::{Done, Item, ItemId};
use super::super::sink::Encode;
use super::interface::{Interface, Kind};
use super::json::{to_json, value_from_json};
use super::json_tensor;
use crate::files::failed;
use crate::tuning::LINE_BYTES_MAX;
use raddle_status::{Code, Error, Result, ResultExt};
use raddle_vm::Value;
use serde_json::Value as Json;
use std::fmt;
use std::io::{BufRead, Read, Write};
use std::path::PathBuf;

/// Items from lines of JSON, read as they are asked for.
pub struct JsonLines<R> {
    reader: R,
    /// For messages.
    path: PathBuf,
    interface: Interface,
    line: Vec<u8>,
    number: u64,
    is_over: bool,
}

impl<R: BufRead> JsonLines<R> {
    /// The items in `reader`, for a function with this interface; `path` is for messages.
    pub fn new(reader: R, path: impl Into<PathBuf>, interface: Interface) -> JsonLines<R> {
        JsonLines { reader, path: path.into(), interface, line: Vec::new(), number: 0, is_over: false }
    }

    /// Reads one line; false at the end.
    fn read_line(&mut self) -> Result<bool> {
        self.line.clear();
        let mut limited = self.reader.by_ref().take(LINE_BYTES_MAX as u64 + 1);
        let count = limited.read_until(b'\n', &mut self.line);
        self.number += 1;
        let count = count.map_err(|error| failed("read", &self.path, &error))?;
        if self.line.len() > LINE_BYTES_MAX {
            self.skip_line()?;
        }
        Ok(count > 0)
    }

    /// Passes over the rest of a line that is too long.
    fn skip_line(&mut self) -> Result {
        loop {
            let chunk = self.reader.fill_buf().map_err(|error| failed("read", &self.path, &error))?;
            let end = chunk.iter().position(|byte| *byte == b'\n');
            let (count, is_end) = (end.map_or(chunk.len(), |at| at + 1), end.is_some() || chunk.is_empty());
            self.reader.consume(count);
            if is_end {
                return Ok(());
            }
        }
    }

    fn item(&self) -> Item {
        let place = || format!("in line {} of {}", self.number, self.path.display());
        let invalid = |text: String| Error::new(Code::InvalidArgument, text);
        if self.line.len() > LINE_BYTES_MAX {
            let error = invalid(format!("the line is longer than {LINE_BYTES_MAX} bytes")).within(place());
            return Item { id: None, arguments: Err(error) };
        }
        let json: Json = match serde_json::from_slice(&self.line) {
            Ok(json) => json,
            Err(error) => {
                let text = format!("no JSON at column {}: {error}", error.column());
                return Item { id: None, arguments: Err(invalid(text).within(place())) };
            }
        };
        let (id, inputs) = match json {
            Json::Array(inputs) => (None, Ok(inputs)),
            Json::Object(mut members) => {
                let id = match members.remove("id") {
                    None => Ok(None),
                    Some(Json::String(text)) => Ok(Some(ItemId::Text(text.into()))),
                    Some(Json::Number(number)) if number.is_i64() => Ok(number.as_i64().map(ItemId::Number)),
                    Some(other) => Err(invalid(format!("an id is a string or an integer, not {other}"))),
                };
                match (id, members.remove("inputs"), members.keys().next()) {
                    (Err(error), ..) => (None, Err(error)),
                    (Ok(id), _, Some(other)) => {
                        (id, Err(invalid(format!("an item has id and inputs, and no '{other}'"))))
                    }
                    (Ok(id), Some(Json::Array(inputs)), None) => (id, Ok(inputs)),
                    (Ok(id), ..) => (id, Err(invalid("an item needs inputs: an array".to_owned()))),
                }
            }
            _ => (None, Err(invalid("an item is {\"id\": …, \"inputs\": […]} or […]".to_owned()))),
        };
        let arguments =
            inputs.and_then(|inputs| self.arguments(&inputs)).map_err(|error| error.within(place()));
        Item { id, arguments }
    }

    fn arguments(&self, inputs: &[Json]) -> Result<Vec<Value>> {
        let kinds = &self.interface.arguments;
        if inputs.len() != kinds.len() {
            let text = format!("{} inputs, the function takes {}", inputs.len(), kinds.len());
            return Err(Error::new(Code::InvalidArgument, text));
        }
        let value = |json: &Json, kind: &Kind| match kind {
            Kind::Plain(scalar) => value_from_json(json, *scalar),
            Kind::Tensor(tensor) => json_tensor::from_json(json, tensor, self.interface.allocator()?),
        };
        let each = inputs.iter().zip(kinds).enumerate();
        each.map(|(at, (json, kind))| value(json, kind).within(|| format!("in input {at}"))).collect()
    }
}

impl<R: BufRead> Iterator for JsonLines<R> {
    type Item = Result<Item>;

    fn next(&mut self) -> Option<Result<Item>> {
        while !self.is_over {
            match self.read_line() {
                Ok(true) if self.line.iter().all(u8::is_ascii_whitespace) => {}
                Ok(true) => return Some(Ok(self.item())),
                Ok(false) => self.is_over = true,
                Err(error) => {
                    self.is_over = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

impl<R> fmt::Debug for JsonLines<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonLines({})", self.path.display())
    }
}

/// Results as lines of JSON.
#[derive(Clone, Copy, Debug, Default)]
pub struct JsonResults;

impl Encode for JsonResults {
    fn put(&mut self, done: &mut Done, out: &mut Vec<u8>) -> Result {
        let outputs = match &done.result {
            Ok(outputs) => outputs.iter().map(to_json).collect::<Result<Vec<Json>>>(),
            Err(error) => Err(error.clone()),
        };
        if let (Ok(_), Err(error)) = (&done.result, &outputs) {
            done.result = Err(error.clone());
        }
        let id = match &done.id {
            ItemId::Index(index) => Json::from(*index),
            ItemId::Number(number) => Json::from(*number),
            ItemId::Text(text) => Json::from(&**text),
        };
        // A vector takes any bytes.
        let _ = match outputs {
            Ok(outputs) => {
                write!(out, "{{\"id\":{id},\"status\":\"OK\",\"outputs\":{}", Json::Array(outputs))
            }
            Err(error) => {
                let text = Json::from(message(&error));
                write!(out, "{{\"id\":{id},\"status\":\"{}\",\"error\":{text}", error.code())
            }
        };
        if done.attempts > 1 {
            let _ = write!(out, ",\"attempts\":{}", done.attempts);
        }
        out.extend_from_slice(b"}\n");
        Ok(())
    }
}

/// What an error says, without its code.
pub(super) fn message(error: &Error) -> String {
    let text = error.to_string();
    text.strip_prefix(error.code().name()).unwrap_or(&text).trim_start_matches(": ").to_owned()
}

/// Lines to a stream that can't be resumed: standard output.
impl<W: Write> Sink for (JsonResults, &mut W) {
    fn put(&mut self, done: &mut Done) -> Result {
        let mut line = Vec::new();
        self.0.put(done, &mut line)?;
        self.1.write_all(&line).map_err(|error| failed("write", "the results".as_ref(), &error))
    }

    fn pause(&mut self) -> Result {
        self.1.flush().map_err(|error| failed("write", "the results".as_ref(), &error))
    }
}
