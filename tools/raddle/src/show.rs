//! Results as text, as `iree-run-module` prints them.
//!
//! Not here: comparing results with expected ones ([`crate::session`]).

use raddle_hal::BufferView;
use raddle_hal::tensor::number::general;
use raddle_hal::tensor::{ELEMENTS_MAX, to_text};
use raddle_status::Result;
use raddle_vm::{List, Ref, Value};

/// How deep lists within lists are printed. Unit: lists.
const DEPTH_MAX: usize = 32;

/// The value with its type, and a line end.
pub fn value(value: &Value) -> Result<String> {
    let mut text = String::new();
    put(&mut text, value, &mut Vec::new())?;
    Ok(text)
}

/// `around`: the lists that this is in, by address.
fn put(text: &mut String, value: &Value, around: &mut Vec<usize>) -> Result {
    let line = match value {
        Value::F32(value) => format!("f32={}\n", general((*value).into())),
        Value::F64(value) => format!("f64={}\n", general(*value)),
        Value::Empty => "(null)\n".to_owned(),
        Value::Ref(Some(object)) => return put_object(text, object, around),
        other => format!("{other}\n"),
    };
    text.push_str(&line);
    Ok(())
}

fn put_object(text: &mut String, object: &Ref, around: &mut Vec<usize>) -> Result {
    text.push_str(object.ty().name());
    text.push('\n');
    if let Some(view) = object.get::<BufferView>() {
        text.push_str(&to_text(view, ELEMENTS_MAX)?);
        text.push('\n');
        return Ok(());
    }
    let Some(list) = object.get::<List>() else {
        text.push_str("(no printer)\n");
        return Ok(());
    };
    if around.len() == DEPTH_MAX || around.contains(&object.address()) {
        text.push_str("...\n");
        return Ok(());
    }
    around.push(object.address());
    for (index, child) in list.values()?.iter().enumerate() {
        text.push_str(&format!("child_list[{index}]: "));
        put(text, child, around)?;
    }
    around.pop();
    text.push('\n');
    Ok(())
}
