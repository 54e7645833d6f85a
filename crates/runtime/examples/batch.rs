//! A batch in a program of one's own: items in, results to a file that survives a crash, then the same file resumed.
//!
//! `cargo run --release --package raddle --example batch`

use raddle::batch::format::JsonResults;
use raddle::batch::{Done, Fingerprint, Item, Opening, ResultFile, Sink};
use raddle::*;
use std::time::Duration;

const VISITS: &[u8] = include_bytes!("../../../tests/programs/runtime/visits.vmfb");

/// A thousand items with names; each waits twice for a tenth of a millisecond.
fn items() -> impl Iterator<Item = Result<Item>> {
    (1..=1000).map(|number| {
        let item = Item::new([Value::I64(number), Value::I64(100_000)]);
        Ok(item.id(format!("visit-{number}").as_str()))
    })
}

fn main() -> Result {
    let runtime = Runtime::builder().workers(2).build()?;
    let session = runtime.session().bytes(VISITS)?.build()?;
    // What has to be the same when the file is resumed.
    let same = Fingerprint::new().with_bytes("module", VISITS).with("function", "steps");
    let path = std::env::temp_dir().join(format!("raddle-example-{}.jsonl", std::process::id()));

    // The first run ends early: its sink gives up after 400 results, as if the power were gone.
    let (mut file, _) = ResultFile::open(&path, JsonResults, &same, Opening::New)?;
    let mut left = 400_i32;
    let first = runtime.batch(&session, "steps")?.in_flight(64).timeout(Duration::from_secs(10)).retries(2);
    let summary = first.run(items(), &mut |done: &mut Done| {
        left -= 1;
        match left > 0 {
            true => file.put(done),
            false => Err(Error::new(Code::Unavailable, "the first run ends here")),
        }
    });
    println!("first: {}", summary.to_json());
    file.pause()?;
    drop(file);

    // The second runs what is missing, and puts the file in its place.
    let (mut file, finished) = ResultFile::open(&path, JsonResults, &same, Opening::Resume)?;
    println!("{} items are there already", finished.count());
    let summary = runtime.batch(&session, "steps")?.skip(finished).run(items(), &mut file);
    println!("second: {}", summary.to_json());
    assert!(summary.is_complete() && summary.progress.resumed == 399 && summary.progress.succeeded == 601);
    file.finish()?;
    let lines =
        std::fs::read_to_string(&path).map_err(|error| Error::new(Code::Internal, error.to_string()))?;
    assert_eq!(lines.lines().count(), 1000);
    std::fs::remove_file(&path).map_err(|error| Error::new(Code::Internal, error.to_string()))
}
