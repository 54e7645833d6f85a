//! Tensors as text and in files read and print as stock IREE's tools do.

use raddle_hal::tensor::{ELEMENTS_MAX, TensorReader, Tolerance, compare, to_text, write_npy};
use raddle_hal::{Allocator, BufferView, ElementType};
use raddle_status::{Code, Result};
use std::path::PathBuf;

/// What stock makes of 200 texts.
const TEXTS: &str = include_str!("tensors/texts.txt");

/// Where we differ on purpose: stock reads these, and something else than what they say.
const REFUSED: [&str; 2] = [
    // Wraps around to 127.
    "2xsi8=-129 1",
    // Reads a letter that is no digit as zero.
    "2xi1=1g 00",
];

/// Where stock fails and we don't.
const TAKEN: [(&str, &str); 2] = [
    // Its longest token has 31 characters.
    ("2xf32=0.00000000000000000000000000000000000000000000000000000001e56 1", "2xf32=1 1"),
    // A plus is a sign here and a file there.
    ("2xf32=1 +.5", "2xf32=1 0.5"),
];

fn allocator() -> Allocator {
    Allocator::new(1 << 30)
}

fn read_all(text: &str) -> Result<Vec<BufferView>> {
    TensorReader::new(&allocator()).read(text)
}

fn read(text: &str) -> BufferView {
    let views = read_all(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    assert_eq!(views.len(), 1, "{text}");
    views.into_iter().next().unwrap()
}

/// The tensor as text, or the name of the status.
fn echo(text: &str) -> String {
    let printed = read_all(text).and_then(|views| to_text(&views[0], ELEMENTS_MAX));
    printed.unwrap_or_else(|error| format!("!{}", error.code()))
}

fn file(name: &str) -> String {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/tensors").join(name).display().to_string()
}

#[test]
fn texts_become_what_stock_makes_of_them() {
    let mut lines = TEXTS.lines().filter(|line| !line.starts_with('#'));
    let (mut count, mut wrong) = (0, Vec::new());
    while let (Some(text), Some(expected)) = (lines.next(), lines.next()) {
        let text = text.replace("\\t", "\t");
        let expected = if REFUSED.contains(&&*text) { "!INVALID_ARGUMENT" } else { expected.trim_start() };
        let ours = echo(&text);
        // Elements that share bytes are refused by both, for one reason or another.
        let is_packed = ["xi4", "xsi4", "xui4", "xi2", "xi12", "xf33", "x*4", "xf4"]
            .iter()
            .any(|name| text.contains(&format!("{name}=")));
        if ours != expected && !(is_packed && ours.starts_with('!') && expected.starts_with('!')) {
            wrong.push(format!("{text}\n  stock {expected}\n  ours  {ours}"));
        }
        count += 1;
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 200);
    for (text, expected) in TAKEN {
        assert_eq!(echo(text), expected, "{text}");
    }
}

#[test]
fn what_is_printed_can_be_read() {
    for text in
        ["2x2xf32=[1 2][3 NAN]", "f64=-0", "3xi1=01 00 FF", "2x1x2xui8=[[1 2]][[3 4]]", "2xf8E4M3FN=0.5 448"]
    {
        assert_eq!(echo(text), text);
    }
}

#[test]
fn messages_say_what_is_wrong_and_where() {
    for (text, message) in [
        (
            "2x2xi8=1 2 3 1000",
            "'1000' is not an integer from -128 to 255; element 3; in the input `2x2xi8=1 2 3 1000`",
        ),
        ("2xf33=1 2", "elements of type f33 share bytes"),
        ("2xfoo=1", "'foo' is no element type"),
        ("2xf32=1 2 3", "more than the 2 elements"),
        ("axf32=1", "'a' in the shape 'a' is no number"),
        ("@x.bin", "only .npy files"),
        ("2xi8=@nowhere.bin", "'nowhere.bin' can't be opened"),
    ] {
        let error = read_all(text).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
}

#[test]
fn long_tensors_are_elided() {
    let text = |text, elements_max| to_text(&read(text), elements_max).unwrap();
    assert_eq!(text("2x8xf32=1", 5), "2x8xf32=[1 1 1 1 1...][...]");
    assert_eq!(text("2x2x3xf32=1", 5), "2x2x3xf32=[[1 1 1][1 1...]][[...][...]]");
    assert_eq!(text("2x2x3xf32=1", 3), "2x2x3xf32=[[1 1 1][...]][[...][...]]");
    assert_eq!(text("2x2x3xf32=1", 0), "2x2x3xf32=[[...][...]][[...][...]]");
    assert_eq!(text("8xf32=1", 5), "8xf32=1 1 1 1 1...");
    assert_eq!(text("8xf32=1", 8), "8xf32=1 1 1 1 1 1 1 1");
    assert_eq!(text("f32=1", 0), "f32=...");
    assert_eq!(text("4000000000x0xf32=", 3), "4000000000x0xf32=[][][]...");
}

#[test]
fn arrays_of_numpy_are_tensors() {
    for (name, expected) in [
        ("bool", "2x2xi1=[01 00][01 01]"),
        ("i1", "2x2xsi8=[1 0][2 3]"),
        ("i2", "2x2xsi16=[1 0][2 3]"),
        ("i4", "2x2xsi32=[1 0][2 3]"),
        ("i8", "2x2xsi64=[1 0][2 3]"),
        ("u1", "2x2xui8=[1 0][2 3]"),
        ("u2", "2x2xui16=[1 0][2 3]"),
        ("u4", "2x2xui32=[1 0][2 3]"),
        ("u8", "2x2xui64=[1 0][2 3]"),
        ("f2", "2x2xf16=[1 0][2 3]"),
        ("f4", "2x2xf32=[1 0][2 3]"),
        ("f8", "2x2xf64=[1 0][2 3]"),
        ("c8", "2x2xcf64=[0000803F0000803F 00000000000000C0][000000400000003F 0000404000000000]"),
        ("V4", "2x2x*32=[00000000 00000000][00000000 00000000]"),
        ("scalar", "f32=3"),
        ("empty", "0x3xf32="),
        ("vec", "3xsi64=0 1 2"),
        ("v2", "2x3xf32=[0 1 2][3 4 5]"),
        ("v3", "2x3xf32=[0 1 2][3 4 5]"),
        ("be_f4", "!UNIMPLEMENTED"),
        ("S3", "!UNIMPLEMENTED"),
        ("U2", "!UNIMPLEMENTED"),
        ("M8s", "!UNIMPLEMENTED"),
        ("fortran", "!UNIMPLEMENTED"),
        ("v9", "!UNIMPLEMENTED"),
        ("cut", "!OUT_OF_RANGE"),
        ("cut2", "!OUT_OF_RANGE"),
    ] {
        assert_eq!(echo(&format!("@{}", file(&format!("{name}.npy")))), expected, "{name}");
    }
}

#[test]
fn files_are_read_from_where_they_were_left() {
    let mut reader = TensorReader::new(&allocator());
    let mut echo = |prefix: &str, name: &str| {
        let (head, mark) = prefix.split_at(prefix.len() - 1);
        let views = reader.read(&format!("{head}{mark}{}", file(name)));
        let texts = views.map(|views| views.iter().map(|view| to_text(view, 9).unwrap()).collect::<Vec<_>>());
        texts.map_or_else(|error| format!("!{}", error.code()), |texts| texts.join("; "))
    };
    assert_eq!(echo("@", "two.npy"), "2xf32=0 1");
    assert_eq!(echo("+", "two.npy"), "3xsi32=0 1 2");
    assert_eq!(echo("+", "two.npy"), "!OUT_OF_RANGE");
    assert_eq!(echo("@", "two.npy"), "2xf32=0 1");
    assert_eq!(echo("*", "two.npy"), "2xf32=0 1; 3xsi32=0 1 2");
    assert_eq!(echo("2xi8=@", "raw.bin"), "2xi8=0 1");
    assert_eq!(echo("3xui8=+", "raw.bin"), "3xui8=2 3 4");
    assert_eq!(echo("2xi8=@", "raw.bin"), "2xi8=0 1");
    assert_eq!(echo("65xi8=@", "raw.bin"), "!OUT_OF_RANGE");
}

#[test]
fn numpy_reads_what_is_written() {
    for (text, header) in [
        ("2xf32=1.5 2", "'<f4', 'fortran_order': False, 'shape': (2,), }"),
        ("f32=5", "'<f4', 'fortran_order': False, 'shape': (), }"),
        ("3x0xf16=", "'<f2', 'fortran_order': False, 'shape': (3, 0), }"),
        ("2x1x2xi1=01", "'|b1', 'fortran_order': False, 'shape': (2, 1, 2), }"),
        ("2xi8=1", "'|i1', 'fortran_order': False, 'shape': (2,), }"),
        ("2xui64=1", "'<u8', 'fortran_order': False, 'shape': (2,), }"),
        ("2xcf64=", "'<c8', 'fortran_order': False, 'shape': (2,), }"),
        ("2x*32=", "'<V4', 'fortran_order': False, 'shape': (2,), }"),
    ] {
        let (view, mut bytes) = (read(text), Vec::new());
        write_npy(&view, &mut bytes).unwrap();
        let mut expected = b"\x93NUMPY\x01\x00v\x00{'descr': ".to_vec();
        expected.extend(header.as_bytes());
        expected.resize(127, b' ');
        expected.push(b'\n');
        expected.extend(view.to_bytes().unwrap());
        assert_eq!(bytes, expected, "{text}");
    }
    for text in ["2xbf16=1", "2xf8E5M2=1", "2xi4="] {
        let error = write_npy(&read(text), &mut Vec::new()).unwrap_err();
        assert_eq!(error.code(), Code::Unimplemented, "{text}");
    }
}

#[test]
fn what_is_written_is_read_back() {
    let path = std::env::temp_dir().join(format!("raddle-tensors-{}.npy", std::process::id()));
    let mut bytes = Vec::new();
    let texts = ["2x2xf32=[1 2][3 NAN]", "f64=5", "4x0xui8=[][][][]", "3xi1=01 00 01"];
    texts.iter().for_each(|text| write_npy(&read(text), &mut bytes).unwrap());
    std::fs::write(&path, &bytes).unwrap();
    let views = read_all(&format!("*{}", path.display()));
    std::fs::remove_file(&path).unwrap();
    let back: Vec<String> = views.unwrap().iter().map(|view| to_text(view, 99).unwrap()).collect();
    assert_eq!(back, texts);
}

#[test]
fn no_header_of_an_array_is_trusted() {
    let whole = std::fs::read(file("f4.npy")).unwrap();
    let path = std::env::temp_dir().join(format!("raddle-headers-{}.npy", std::process::id()));
    let mut refused = 0;
    for at in 0..128 {
        for byte in [0, b'9', b'\'', b'(', 0xFF] {
            let mut bytes = whole.clone();
            bytes[at] = byte;
            std::fs::write(&path, &bytes).unwrap();
            refused += usize::from(read_all(&format!("*{}", path.display())).is_err());
        }
    }
    std::fs::remove_file(&path).unwrap();
    assert!(refused > 100, "{refused}");
}

fn difference(expected: &str, actual: &str, tolerance: Tolerance) -> Option<String> {
    compare(&read(expected), &read(actual), &tolerance).unwrap()
}

#[test]
fn differences_are_told_as_stock_tells_them() {
    let check = |expected, actual, text: &str| {
        assert_eq!(difference(expected, actual, Tolerance::default()).as_deref(), Some(text));
    };
    check(
        "4xf32=1 2 3.1 5",
        "4xf32=1 2 3 4",
        "element at index 2 (3) does not match the expected (3.1); expected that the view is equal to contents of a view \
         of 4xf32\n  expected:\n4xf32=1 2 3.1 5\n  actual:\n4xf32=1 2 3 4",
    );
    check(
        "2x2xf32=1 2 3 4",
        "4xf32=1 2 3 4",
        "metadata is 4xf32; expected that the view matches 2x2xf32; expected that the view is equal to contents of a view \
         of 2x2xf32\n  expected:\n2x2xf32=[1 2][3 4]\n  actual:\n4xf32=1 2 3 4",
    );
    check(
        "4xi1=01 00 01 00",
        "4xi1=01 00 01 01",
        "element at index 3 (01) does not match the expected (00); expected that the view is equal to contents of a view \
         of 4xi1\n  expected:\n4xi1=01 00 01 00\n  actual:\n4xi1=01 00 01 01",
    );
}

#[test]
fn floats_may_be_near_and_nothing_else() {
    let default = Tolerance::default();
    let exact = Tolerance { is_exact: true, ..default };
    for (expected, actual, tolerance, is_equal) in [
        ("2xf32=1 3.00001", "2xf32=1 3", default, true),
        ("2xf32=1 3.00001", "2xf32=1 3", exact, false),
        ("2xf32=nan inf", "2xf32=nan inf", default, true),
        ("1xf32=inf", "1xf32=-inf", default, false),
        ("1xf32=inf", "1xf32=1", default, false),
        ("1xf32=nan", "1xf32=1", default, false),
        ("1xf32=1", "1xf32=nan", default, false),
        ("1xf64=1.00005", "1xf64=1", default, true),
        ("1xf64=1.00012", "1xf64=1", default, false),
        ("1xf64=1000.005", "1xf64=1000", default, true),
        ("1xf16=1", "1xf16=1.001", default, true),
        ("1xf16=1", "1xf16=1.002", default, false),
        ("1xbf16=1", "1xbf16=1.0078125", default, true),
        ("1xf8E5M2=4", "1xf8E5M2=5", default, false),
        ("1xf32=0", "1xf32=-0", default, true),
        ("1xf32=0", "1xf32=-0", exact, false),
        ("1xi32=4", "1xi32=5", default, false),
        ("1xi32=4", "1xsi32=4", default, false),
        ("0xf32=", "0xf32=", exact, true),
        ("1xf32=1", "1xf32=2", Tolerance { f32: 1.0, ..default }, true),
        ("1xf32=100", "1xf32=110", Tolerance { relative: 0.1, ..default }, true),
    ] {
        let found = difference(expected, actual, tolerance);
        assert_eq!(found.is_none(), is_equal, "{expected} {actual}: {found:?}");
    }
}

#[test]
fn packed_elements_come_from_files() {
    let view = read(&format!("8xi4=@{}", file("raw.bin")));
    assert_eq!((view.element_type(), view.to_bytes().unwrap()), (ElementType::INT_4, vec![0, 1, 2, 3]));
    assert_eq!(to_text(&view, 9).unwrap_err().code(), Code::OutOfRange);
}
