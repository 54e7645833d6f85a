//! `raddle batch` with tables: Parquet and Arrow files that pyarrow has written (`tests/inputs/tables.py`), and our own.
#![cfg(feature = "parquet")]

mod support;

use serde_json::Value as Json;
use std::fs;
use std::io::Write;
use std::process::Stdio;
use support::{Folder, lines, steps};

const TABLES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/inputs/tables");

#[test]
fn rows_are_items_in_every_form_and_compression() {
    let folder = Folder::new("forms");
    let inputs = [
        "visits.parquet",
        "visits-none.parquet",
        "visits-gzip.parquet",
        "visits-zstd.parquet",
        "visits-lz4.parquet",
        "visits.feather",
        "visits.arrow",
        "visits.parquet:number,pause",
        "visits.arrow:number,pause",
    ];
    for input in inputs {
        let line = format!("--input={TABLES}/{input} --output=out.jsonl --ordered --in-flight=7");
        folder.check("runtime/visits", &line, 0);
        let results = lines(&folder.get("out.jsonl"));
        assert_eq!(results.len(), 60, "{input}");
        for (number, line) in (1..).zip(&results) {
            assert_eq!(line["id"], format!("v{number}"), "{input}");
            assert_eq!(line["outputs"], serde_json::json!([steps(number)]), "{input}: {line}");
        }
    }
    // Columns in the order of the arguments; one argument from a table, one that is the same for all.
    let line = format!("--input={TABLES}/visits.parquet:number --input=0 --output=out.jsonl --ordered");
    folder.check("runtime/visits", &line, 0);
    assert_eq!(lines(&folder.get("out.jsonl"))[26]["outputs"], serde_json::json!([111]));
    let line = format!("--input={TABLES}/visits.parquet:pause,number --output=out.jsonl");
    let (out, _) = folder.check("runtime/visits", &line, 20);
    assert!(out.contains("\"OUT_OF_RANGE\":60"), "{out}");
}

#[test]
fn a_row_that_is_no_item_harms_no_other() {
    let folder = Folder::new("odd");
    for form in ["parquet", "arrow"] {
        let line = format!("--input={TABLES}/odd.{form}:number,pause --output=out.jsonl --ordered");
        folder.check("runtime/visits", &line, 20);
        let results = lines(&folder.get("out.jsonl"));
        let told: Vec<(u64, &str)> = results
            .iter()
            .map(|line| (line["id"].as_u64().unwrap(), line["status"].as_str().unwrap()))
            .collect();
        let invalid = "INVALID_ARGUMENT";
        assert_eq!(told, [(10, "OK"), (20, invalid), (30, invalid), (40, "OUT_OF_RANGE"), (4, invalid)]);
        for (line, text) in [
            (1, "it is null; in column 'number'; in row 1 of"),
            (2, "it is null; in column 'pause'; in row 2 of"),
            (4, "it is null; in column 'id'; in row 4 of"),
        ] {
            assert!(results[line]["error"].as_str().unwrap().contains(text), "{}", results[line]);
        }
    }
}

#[test]
fn results_are_tables_that_can_be_read_again() {
    let folder = Folder::new("again");
    folder
        .put("in.jsonl", (1..=50).map(|number| format!("[{number}, 0]\n")).collect::<String>() + "[0, 0]\n");
    for form in ["parquet", "arrow", "feather"] {
        let line = format!("--input=in.jsonl --output=steps.{form} --ordered");
        folder.check("runtime/visits", &line, 20);
        // The steps of the steps; the item that failed has none, and says why.
        let line = format!("--input=steps.{form}:output_0 --input=0 --output=out.jsonl --ordered");
        folder.check("runtime/visits", &line, 20);
        let results = lines(&folder.get("out.jsonl"));
        for number in 2..=50 {
            let line = &results[number - 1];
            assert_eq!(line["id"], (number - 1).to_string());
            assert_eq!(line["outputs"], serde_json::json!([steps(steps(number as u64))]), "{line}");
        }
        assert!(results[50]["error"].as_str().unwrap().contains("it is null; in column 'output_0'"));
    }
}

#[test]
fn texts_are_buffers() {
    let folder = Folder::new("texts");
    folder.put("in.jsonl", "{\"id\":\"one\",\"inputs\":[1,0]}\n{\"id\":\"two\",\"inputs\":[0,0]}\n");
    for form in ["parquet", "arrow"] {
        folder.check("runtime/visits", &format!("--input=in.jsonl --output=names.{form}"), 20);
        // A file for each item, with its status in it.
        let line =
            format!("--function=file --input=names.{form}:id,status --output=out.{form} --allow-files");
        folder.check("runtime/streams", &line, 0);
        assert_eq!((folder.get("one"), folder.get("two")), ("OK".to_owned(), "OUT_OF_RANGE".to_owned()));
    }
}

#[test]
fn lists_are_tensors() {
    let folder = Folder::new("lists");
    let same = "hal/p19_passthrough.sync";
    for form in ["jsonl", "parquet", "arrow"] {
        let line = format!("--function=same --input={TABLES}/fixed.parquet --output=fixed.{form} --ordered");
        folder.check(same, &line, 0);
        let line = format!("--function=same --input={TABLES}/free.parquet --output=free.{form} --ordered");
        folder.check(same, &line, 20);
    }
    let expected = lines(&folder.get("fixed.jsonl"));
    assert_eq!(expected[2]["outputs"], serde_json::json!([[8.0, 9.0, 10.0, 11.0]]));
    let free = lines(&folder.get("free.jsonl"));
    assert_eq!(free[0]["outputs"], serde_json::json!([[0.0, 1.0, 2.0, 3.0]]));
    for (line, text) in [(1, "shape [2]"), (2, "it is null"), (3, "it has a null in it")] {
        assert!(free[line]["error"].as_str().unwrap().contains(text), "{}", free[line]);
    }
    // There and back.
    for form in ["parquet", "arrow"] {
        let line = format!("--function=same --input=fixed.{form}:output_0 --output=back.jsonl --ordered");
        folder.check(same, &line, 0);
        assert_eq!(lines(&folder.get("back.jsonl")), expected);
        let line = format!("--function=same --input=free.{form}:output_0 --output=back.jsonl --ordered");
        folder.check(same, &line, 20);
        let back = lines(&folder.get("back.jsonl"));
        assert_eq!(back[0]["outputs"], free[0]["outputs"]);
        assert_eq!(back[1]["status"], "INVALID_ARGUMENT");
    }
}

#[test]
fn a_model_over_tables_gives_what_it_gives_over_arrays() {
    let folder = Folder::new("model");
    let predict = "hal/perceptron.sync";
    folder.check(predict, &format!("--input={TABLES}/../images.npz --output=npz.jsonl --ordered"), 0);
    for column in ["nested", "flat"] {
        let input = format!("--input={TABLES}/images.parquet:{column}");
        folder.check(predict, &format!("{input} --output=out.jsonl --ordered"), 0);
        let (ours, theirs) = (lines(&folder.get("out.jsonl")), lines(&folder.get("npz.jsonl")));
        assert_eq!(ours, theirs, "{column}");
    }
}

#[test]
fn a_killed_batch_is_resumed_with_an_identical_table() {
    let folder = Folder::new("killed-table");
    let items: String =
        (1..=600).map(|number| format!("{{\"id\":\"n{number}\",\"inputs\":[{number},1000000]}}\n")).collect();
    folder.put("in.jsonl", &items);
    for form in ["parquet", "arrow"] {
        let line = format!("--output=out.{form} --ordered --in-flight=20 --workers=2 --input=");
        folder.check("runtime/visits", &format!("{line}in.jsonl"), 0);
        let whole = fs::read(folder.0.join(format!("out.{form}"))).unwrap();
        fs::remove_file(folder.0.join(format!("out.{form}"))).unwrap();
        let log = folder.0.join(format!("out.{form}.part.log"));
        for log_bytes in [300, 6000] {
            // Its input stays open: it can't end by itself.
            let mut command = folder.command("runtime/visits", &format!("{line}- --resume"));
            let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
            let mut input = child.stdin.take().unwrap();
            input.write_all(items.as_bytes()).unwrap();
            while fs::metadata(&log).map_or(0, |data| data.len()) < log_bytes {
                assert_eq!(child.try_wait().unwrap(), None, "it ended by itself");
                std::thread::yield_now();
            }
            child.kill().unwrap();
            child.wait().unwrap();
        }
        let mut command = folder.command("runtime/visits", &format!("{line}- --resume"));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(items.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        let summary: Json = serde_json::from_slice(&output.stdout).unwrap();
        assert!(summary["resumed"].as_u64().unwrap() > 100, "{summary}");
        assert!(fs::read(folder.0.join(format!("out.{form}"))).unwrap() == whole, "{form}");
    }
}

#[test]
fn a_table_that_was_interrupted_goes_on_and_shards_together_are_the_batch() {
    let folder = Folder::new("table-shards");
    let odd = format!("--input={TABLES}/odd.parquet:number,pause");
    folder.check("runtime/visits", &format!("{odd} --output=out.parquet --ordered --fail-fast"), 3);
    let (out, _) =
        folder.check("runtime/visits", &format!("{odd} --output=out.parquet --ordered --resume"), 20);
    // How many of the five had ended when the first failure stopped the batch is the workers' business.
    let summary: Json = serde_json::from_str(&out).unwrap();
    let count = |names: &[&str]| names.iter().map(|name| summary[name].as_u64().unwrap()).sum::<u64>();
    assert!(summary["resumed_failed"].as_u64().unwrap() > 0, "{out}");
    assert_eq!(count(&["resumed", "succeeded", "failed"]), 5, "{out}");
    assert_eq!(count(&["resumed_failed", "failed"]), 4, "{out}");
    let (_, told) = folder.check(
        "runtime/visits",
        &format!("--input={TABLES}/visits.parquet:pause,number --output=x.parquet --fail-fast"),
        11,
    );
    assert!(told.contains("a number below 1"), "{told}");
    let other = format!("--input={TABLES}/visits.parquet --output=x.parquet --resume");
    let (_, told) = folder.check("runtime/visits", &other, 9);
    assert!(told.contains("its input is"), "{told}");
    let mut together = Vec::new();
    for index in 0..3 {
        let line =
            format!("--input={TABLES}/visits.parquet --output=s{index}.parquet --shard={index}/3 --ordered");
        folder.check("runtime/visits", &line, 0);
        let line = format!("--input=s{index}.parquet:output_0 --input=0 --output=s.jsonl");
        folder.run("runtime/visits", &line);
        together
            .extend(lines(&folder.get("s.jsonl")).iter().map(|line| line["id"].as_str().unwrap().to_owned()));
    }
    together.sort_by_key(|id| id[1..].parse::<u64>().unwrap());
    assert_eq!(together, (1..=60).map(|number| format!("v{number}")).collect::<Vec<_>>());
}

#[test]
fn bad_tables_are_told() {
    let folder = Folder::new("bad-tables");
    let bytes = |name: &str| fs::read(format!("{TABLES}/{name}")).unwrap();
    for name in ["visits.parquet", "visits.arrow"] {
        let bytes = bytes(name);
        let (_, extension) = name.split_once('.').unwrap();
        folder.put(&format!("cut.{extension}"), &bytes[..bytes.len() - 100]);
        folder.put(&format!("no.{extension}"), "hello, this is no table");
        folder.put(&format!("nothing.{extension}"), "");
    }
    let out = "--output=out.parquet";
    for (line, code, message) in [
        (format!("--input=none.parquet {out}"), 5, "can't read none.parquet"),
        (format!("--input=none.arrow {out}"), 5, "can't read none.arrow"),
        (format!("--input=no.parquet {out}"), 3, "does not begin as a Parquet file does"),
        (format!("--input=nothing.parquet {out}"), 3, "does not begin as a Parquet file does"),
        (format!("--input=no.arrow {out}"), 3, "does not begin as an Arrow file does"),
        (format!("--input=nothing.arrow {out}"), 3, "does not begin as an Arrow file does"),
        (format!("--input=cut.parquet {out}"), 15, "cut.parquet is no whole Parquet file"),
        (format!("--input=cut.arrow {out}"), 15, "cut.arrow is no whole Arrow file"),
        (format!("--input={TABLES}/visits-brotli.parquet {out}"), 12, "is compressed with Brotli"),
        (
            format!("--input={TABLES}/odd.parquet:number,none {out}"),
            5,
            "no column 'none'; it has: pause, number",
        ),
        (format!("--input={TABLES}/odd.parquet {out}"), 3, "column 'note' of"),
        (
            format!("--input={TABLES}/odd.parquet:half,pause {out}"),
            3,
            "of type Float64: the function takes 'i64'",
        ),
        (format!("--input={TABLES}/odd.parquet:number {out}"), 3, "give 1 arguments, the function takes 2"),
        (format!("--input={TABLES}/fixed.parquet --input=0 {out}"), 3, "the function takes 'i64' there"),
        (format!("--input={TABLES}/visits.parquet:id --input=0 {out}"), 3, "column 'id' of type Utf8"),
        (
            format!("--input={TABLES}/visits.parquet:number --input={TABLES}/odd.parquet:pause {out}"),
            3,
            "has 60 items",
        ),
        (
            format!("--input={TABLES}/visits.parquet:number --input={TABLES}/visits.arrow:pause {out}"),
            3,
            "several inputs have a column 'id'",
        ),
    ] {
        let (_, told) = folder.check("runtime/visits", &line, code);
        assert!(told.contains(message), "{line}: {told}");
    }
    let (_, told) = folder.check(
        "runtime/streams",
        &format!("--function=pipe --input={TABLES}/visits.parquet:id {out}"),
        3,
    );
    assert!(told.contains("give 1 arguments") || told.contains("use .jsonl"), "{told}");
    // No rows are no items: a complete batch.
    for form in ["parquet", "arrow"] {
        let line = format!("--input={TABLES}/empty.parquet --output=empty.{form}");
        folder.check("runtime/visits", &line, 0);
        folder.check(
            "runtime/visits",
            &format!("--input=empty.{form}:output_0 --input=0 --output=e.jsonl"),
            0,
        );
        assert_eq!(folder.get("e.jsonl"), "");
    }
}

/// Every end of a file, and every changed byte, is an error that is told or a table: nothing panics or hangs.
#[test]
fn damaged_tables_end_in_a_status() {
    let folder = Folder::new("damaged-tables");
    for name in ["odd.parquet", "odd.arrow"] {
        let (_, extension) = name.split_once('.').unwrap();
        let whole = fs::read(format!("{TABLES}/{name}")).unwrap();
        let step = whole.len() / 24;
        for at in (0..whole.len()).step_by(step) {
            for is_cut in [true, false] {
                let mut bytes = whole.clone();
                match is_cut {
                    true => bytes.truncate(at),
                    false => bytes[at] ^= 0x55,
                }
                folder.put(&format!("bad.{extension}"), bytes);
                let line = format!("--input=bad.{extension}:number,pause --output=out.jsonl --start-over");
                let output = folder.run("runtime/visits", &line);
                let code = output.status.code();
                let told = String::from_utf8_lossy(&output.stderr).into_owned();
                assert!(
                    matches!(code, Some(0 | 3 | 5 | 8 | 12 | 15 | 20)),
                    "{name} {at} {is_cut}: {code:?} {told}"
                );
            }
        }
    }
}

#[test]
fn a_full_disk_at_the_end_loses_nothing() {
    let folder = Folder::new("full-table");
    folder.put("in.jsonl", (1..=3000).map(|number| format!("[{number}, 0]\n")).collect::<String>());
    let line = "--input=in.jsonl --output=out.arrow --ordered";
    // The records fit, the table does not: its columns are padded.
    let output = folder.run_on_a_small_disk("runtime/visits", line, 100);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(8), "{told}");
    assert!(!folder.has("out.arrow"));
    let (out, _) = folder.check("runtime/visits", &format!("{line} --resume"), 0);
    assert!(serde_json::from_str::<Json>(&out).unwrap()["resumed"].as_u64().unwrap() > 100, "{out}");
}
