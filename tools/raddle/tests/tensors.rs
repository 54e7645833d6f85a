//! `raddle batch` with compiled models: tensors from arrays and from JSON, results as arrays.

mod support;

use serde_json::Value as Json;
use std::fs;
use support::{Folder, npy};

const IMAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/inputs/images.npz");

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|four| f32::from_le_bytes(four.try_into().unwrap())).collect()
}

fn of_floats(numbers: &[f32]) -> Vec<u8> {
    numbers.iter().flat_map(|number| number.to_le_bytes()).collect()
}

#[test]
fn rows_of_an_array_are_tensors_and_results_are_rows() {
    let folder = Folder::new("rows");
    folder.put("x.npy", npy("<f4", "(3, 2, 4)", &of_floats(&(0..24).map(|n| n as f32).collect::<Vec<_>>())));
    folder
        .put("four.npy", npy("<f4", "(3, 4)", &of_floats(&[1., 2., 3., 4., 5., 6., 7., 8., 9., 1., 2., 3.])));
    for form in ["sync", "async"] {
        folder.check(
            &format!("hal/p19_passthrough.{form}"),
            "--function=same --input=four.npy --output=out.npy",
            0,
        );
        let out = fs::read(folder.0.join("out.npy")).unwrap();
        assert!(
            String::from_utf8_lossy(&out[..256])
                .contains("'descr': '<f4', 'fortran_order': False, 'shape': (3,4,)")
        );
        assert_eq!(floats(&out[256..]), [1., 2., 3., 4., 5., 6., 7., 8., 9., 1., 2., 3.]);
    }
    // Scalars of a tensor's type, in the other order of bytes.
    let swapped: Vec<u8> = [1.5_f32, -2.0].iter().flat_map(|number| number.to_be_bytes()).collect();
    folder.put("swapped.npy", npy(">f4", "(2,)", &swapped));
    folder.check("hal/abs.async", "--input=swapped.npy --output=abs.npy", 0);
    assert_eq!(floats(&fs::read(folder.0.join("abs.npy")).unwrap()[256..]), [1.5, 2.0]);
    let (_, told) =
        folder.check("hal/p19_passthrough.sync", "--function=same --input=x.npy --output=bad.npy", 3);
    assert!(told.contains("shape [2, 4] and type <f4, the function takes tensor<4xf32>"), "{told}");
    let (_, told) = folder.check("hal/abs.sync", "--input=swapped.npy --output=no.npy --no-native", 18);
    assert!(told.contains("not found or unavailable"), "{told}");
}

#[test]
fn a_model_over_images_gives_the_same_in_every_form() {
    let folder = Folder::new("images");
    let input = format!("--input={IMAGES}");
    folder.check("hal/perceptron.sync", &format!("{input} --output=out.npy"), 0);
    folder.check("hal/perceptron.async", &format!("{input}:images --output=out.npz"), 0);
    folder.check(
        "hal/perceptron.async",
        &format!("{input} --output=out.jsonl --ordered --device=local-sync"),
        0,
    );
    let expected = floats(&fs::read(folder.0.join("out.npy")).unwrap()[256..]);
    assert_eq!(expected.len(), 12 * 10);
    for row in expected.chunks(10) {
        assert!((row.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{row:?} are no probabilities");
    }
    let lines: Vec<Json> =
        folder.get("out.jsonl").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of_json = lines.iter().flat_map(|line| line["outputs"][0][0].as_array().unwrap().clone());
    assert_eq!(of_json.map(|number| number.as_f64().unwrap() as f32).collect::<Vec<_>>(), expected);
    // What was written as an archive is read as one.
    let same = "--function=same --input=out.npz:arr_0 --output=none.npy";
    let (_, told) = folder.check("hal/p19_passthrough.sync", same, 3);
    assert!(told.contains("shape [1, 10]"), "{told}");
    let (_, told) = folder.check("hal/abs.sync", "--input=out.npz:none --output=none.npy", 5);
    assert!(told.contains("it has: index, status, arr_0"), "{told}");
    // A damaged archive is noticed.
    let mut bytes = fs::read(IMAGES).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x10;
    folder.put("damaged.npz", &bytes);
    folder.check("hal/perceptron.sync", "--input=damaged.npz --output=damaged.npy", 15);
    folder.put("cut.npz", &bytes[..middle]);
    folder.check("hal/perceptron.sync", "--input=cut.npz --output=damaged.npy --start-over", 15);
}

#[test]
fn tensors_and_numbers_are_mixed_and_failures_are_marked() {
    let folder = Folder::new("mixed");
    folder.put(
        "n.npy",
        npy("<i4", "(3,)", &[1_i32, -1, 3].iter().flat_map(|n| n.to_le_bytes()).collect::<Vec<_>>()),
    );
    let line = "--input=n.npy --input=4xi32=10 --output=out.npz";
    folder.check("hal/p21_assert.sync", line, 20);
    let failures: Vec<Json> = folder
        .get("out.npz.failures.jsonl")
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0]["id"], 1);
    // Its own output as the next input: status is a column of numbers.
    folder.check("hal/p21_assert.sync", "--input=out.npz:status --input=4xi32=0 --output=again.npz", 0);
    assert!(!folder.has("again.npz.failures.jsonl"));
    folder.put(
        "in.jsonl",
        "{\"id\":\"a\",\"inputs\":[1,[1,2,3,4]]}\n{\"id\":\"b\",\"inputs\":[1,[1,2,3]]}\n{\"id\":\"c\",\"inputs\":[-1,[1,2,3,4]]}\n",
    );
    folder.check("hal/p21_assert.async", "--input=in.jsonl --output=out.jsonl --ordered", 20);
    let text = folder.get("out.jsonl");
    assert!(text.starts_with("{\"id\":\"a\",\"status\":\"OK\",\"outputs\":[[2,3,4,5]]}\n"), "{text}");
    assert!(text.contains("expected tensor<4xi32>, got arrays of lengths [3]; in input 1"), "{text}");
    assert!(text.contains("n must not be negative"), "{text}");
}

#[test]
fn state_of_a_model_is_of_the_item_or_shared() {
    let folder = Folder::new("model-state");
    folder.put("x.npy", npy("<f4", "(3, 4)", &of_floats(&[1.0; 12])));
    let counts = |name: &str| -> Vec<u64> {
        let lines = folder.get(name);
        lines
            .lines()
            .map(|line| serde_json::from_str::<Json>(line).unwrap()["outputs"][1].as_u64().unwrap())
            .collect()
    };
    folder.check("hal/p10_state.sync", "--function=push --input=x.npy --output=own.jsonl --ordered", 0);
    assert_eq!(counts("own.jsonl"), [1, 1, 1]);
    folder.check(
        "hal/p10_state.sync",
        "--function=push --input=x.npy --output=shared.jsonl --state=shared",
        0,
    );
    assert_eq!(counts("shared.jsonl"), [1, 2, 3]);
}

#[test]
fn what_a_function_writes_into_is_not_shared() {
    let folder = Folder::new("inout");
    folder.put("x.npy", npy("<f4", "(2, 8)", &of_floats(&[1.0; 16])));
    let (_, told) = folder.check("hal/p09_inout.sync", "--input=x.npy --input=8xf32=0 --output=out.npy", 3);
    assert!(told.contains("can't be a constant"), "{told}");
    let (_, told) =
        folder.check("hal/p09_inout.sync", "--input=x.npy --input=x.npy --output=out.npy --retries=1", 3);
    assert!(told.contains("leave --retries out"), "{told}");
    folder.check("hal/p09_inout.sync", "--input=x.npy --input=x.npy --output=out.npy", 0);
}
