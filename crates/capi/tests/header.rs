//! `include/raddle.h` is what cbindgen makes of the sources now. `RADDLE_WRITE_HEADER=1` writes it.

use std::fs;
use std::path::Path;

fn generate(root: &Path) -> String {
    let config = cbindgen::Config::from_file(root.join("cbindgen.toml")).expect("cbindgen.toml is valid");
    let bindings =
        cbindgen::Builder::new().with_crate(root).with_config(config).with_parse_deps(false).generate();
    let mut text = Vec::new();
    bindings.expect("cbindgen understands the sources").write(&mut text);
    // cbindgen makes the names of constants from those of their types.
    String::from_utf8(text).expect("a header is UTF-8").replace("_T_", "_")
}

#[test]
fn the_header_is_fresh() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path = root.join("include/raddle.h");
    let fresh = generate(root);
    if std::env::var_os("RADDLE_WRITE_HEADER").is_some() {
        fs::write(&path, &fresh).expect("the header can be written");
    }
    let checked_in = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        checked_in == fresh,
        "include/raddle.h is stale: RADDLE_WRITE_HEADER=1 cargo test -p raddle-capi --test header"
    );
}

#[test]
fn every_function_has_the_prefix_and_every_type_a_name() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("include/raddle.h")).unwrap();
    let code: String =
        text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
    for name in code.split(|c: char| !c.is_alphanumeric() && c != '_') {
        let is_type = name.ends_with("_t")
            && !matches!(name, "size_t" | "uint32_t" | "int32_t" | "uint64_t" | "int64_t" | "uintptr_t");
        assert!(!is_type || name.starts_with("raddle_"), "{name}");
    }
}

#[test]
fn what_may_grow_begins_with_its_size() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("include/raddle.h")).unwrap();
    // Of a fixed size for good: they are passed in arrays, or by value.
    let fixed = ["raddle_value_t", "raddle_native_function_t", "raddle_waker_name_t"];
    let mut count = 0;
    for part in text.split("typedef struct {").skip(1) {
        let (fields, rest) = part.split_once('}').expect("a struct ends");
        let name = rest.trim_start().split(';').next().unwrap_or_default();
        let first = fields.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with("//"));
        let is_sized = first == Some("size_t struct_size;");
        assert_ne!(is_sized, fixed.contains(&name), "{name} begins with {first:?}");
        count += 1;
    }
    assert!(count > 10, "the structs were found");
}
