//! What a dump says, as text and as JSON, and what the counters count.

mod support;

use raddle_status::Code;
use raddle_task::*;
use raddle_wait::*;
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;
use support::*;

/// A source with a name of its own.
struct Named;

impl WaitSource for Named {
    fn arm(&self, _: SourceWaker) {}

    fn name(&self) -> &str {
        "the \"moon\""
    }
}

/// A source that panics when it is asked.
struct Shy;

impl WaitSource for Shy {
    fn arm(&self, _: SourceWaker) {}

    fn name(&self) -> &str {
        panic!("don't ask")
    }
}

fn submit_waits(executor: &Executor, scope: &Scope, fd: &Descriptor) -> Run {
    let mut builder = GraphBuilder::new();
    let first = builder.call(|_| ());
    let event = Arc::new(Event::manual());
    let waits = [
        builder.wait(raddle_wait::any![event, Arc::new(Named), Arc::new(fd.readable())]),
        builder.wait_timeout(Arc::new(Manual::default()), LONG),
        builder.delay(2 * LONG),
        builder.wait(Arc::new(Shy)),
    ];
    for wait in waits {
        builder.edge(first, wait).unwrap();
    }
    executor.submit(&builder.build().unwrap(), scope).unwrap()
}

#[test]
fn a_dump_names_what_is_waited_for() {
    for_each_size(|executor| {
        let (reader, _writer) = std::io::pipe().unwrap();
        let number = reader.as_raw_fd();
        let pipe = Descriptor::new(reader);
        let scope = executor.scope("a \"scope\"\n\\\u{7f}\u{1}ü");
        let run = submit_waits(executor, &scope, &pipe);
        if executor.worker_count() == 0 {
            let dump = executor.dump();
            assert!(dump.to_string().contains("the host never called `turn`"), "{dump}");
            while executor.turn(TurnBudget::default()).unwrap().tasks > 0 {}
        }
        while executor.dump().scopes[0].runs[0].waits.len() < 4 {
            std::thread::yield_now();
        }
        let dump = executor.dump();
        let waits = &dump.scopes[0].runs[0].waits;
        let texts: Vec<_> = waits.iter().map(|wait| (wait.task, wait.condition.as_str())).collect();
        let any = format!("any of (Event, the \"moon\", DescriptorSource: descriptor {number}, Read)");
        let shy = "a source that panics when it is asked for its name";
        assert_eq!(texts, [(1, any.as_str()), (2, "Manual"), (3, "delay"), (4, shy)]);
        assert!(waits[0].left.is_none() && waits[1].left.unwrap() <= LONG && waits[2].left.unwrap() > LONG);
        let text = dump.to_string();
        for part in ["task 2 waits for Manual, ", "wait set: 3 armed", "runs_submitted 1"] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let json = dump.to_json();
        for part in [
            r#""name":"a \"scope\"\u000a\\"#,
            r#"{"task":1,"condition":"any of (Event, the \"moon\", "#,
            r#""left_ns":null}"#,
            r#""outstanding":3"#,
            r#""counts":{"runs_submitted":1,"#,
        ] {
            assert!(json.contains(part), "{part} in {json}");
        }
        check_json(&json, &dump);
        run.cancel();
        assert_eq!(code_of(&run), Code::Cancelled);
        scope.wait_idle(NEVER).unwrap();
        assert!(executor.dump().scopes[0].runs.is_empty());
    });
}

/// Somebody else's parser reads it, and finds what is in the dump.
fn check_json(json: &str, dump: &Dump) {
    let read: serde_json::Value =
        serde_json::from_str(json).unwrap_or_else(|error| panic!("{error}: {json}"));
    assert!(!json.contains('\n'), "one line");
    assert_eq!(read["name"], dump.name);
    assert_eq!(read["workers"].as_array().map(Vec::len), Some(dump.workers.len()));
    let (scope, run) = (&read["scopes"][0], &read["scopes"][0]["runs"][0]);
    assert_eq!(scope["name"], "a \"scope\"\n\\\u{7f}\u{1}ü");
    let waits = run["waits"].as_array().expect("a list");
    assert_eq!(waits.len(), dump.scopes[0].runs[0].waits.len());
    for (read, wait) in waits.iter().zip(&dump.scopes[0].runs[0].waits) {
        assert_eq!((&read["task"], &read["condition"]), (&wait.task.into(), &wait.condition.as_str().into()));
        assert_eq!(read["left_ns"].as_u64(), wait.left.map(|left| left.as_nanos() as u64));
    }
    assert_eq!(read["outstanding"], dump.outstanding);
    assert_eq!(read["counts"]["waits_begun"], dump.counts.waits_begun);
    assert_eq!(read["remarks"].as_array().map(Vec::len), Some(dump.remarks.len()));
}

#[test]
fn a_dump_names_where_workers_are() {
    let executor = executor(3);
    let (entered, has_entered) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = Mutex::new(released);
    let scope = executor.scope("busy");
    let run = scope.spawn(move |_| {
        entered.send(()).unwrap();
        released.lock().unwrap().recv().unwrap();
    });
    has_entered.recv().unwrap();
    let mut builder = GraphBuilder::new();
    builder.delay(LONG);
    let waiting = executor.submit(&builder.build().unwrap(), &executor.scope("waits")).unwrap();
    let expected = [WorkerState::Running, WorkerState::InKernel, WorkerState::InKernel];
    loop {
        let mut states: Vec<_> = executor.dump().workers.iter().map(|worker| worker.state).collect();
        states.sort_by_key(|state| *state as u8);
        // Up to two sleep in the kernel; both do once both have gone to sleep after the wait was armed.
        if states == expected || states == [WorkerState::Running, WorkerState::Parked, WorkerState::InKernel]
        {
            break;
        }
        std::thread::yield_now();
    }
    release.send(()).unwrap();
    run.unwrap().wait().unwrap();
    waiting.cancel();
    let _ = waiting.wait();
}

#[test]
fn counters_add_up() {
    for_each_size(|executor| {
        let scope = executor.scope("counts");
        let event = Arc::new(Event::manual());
        let ready = Arc::new(Event::manual());
        ready.set();
        let mut builder = GraphBuilder::new();
        builder.wait(event.clone());
        builder.wait(ready);
        builder.delay(Duration::from_millis(1));
        let last = builder.wait(Arc::new(Manual::default()));
        let call = builder.call(|_| ());
        builder.edge(call, last).unwrap();
        let run = executor.submit(&builder.build().unwrap(), &scope).unwrap();
        while executor.counts().waits_timed_out == 0 {
            match executor.worker_count() {
                0 => drop(executor.turn(TurnBudget::default()).unwrap()),
                _ => std::thread::yield_now(),
            }
        }
        event.set();
        while executor.counts().waits_fired == 0 {
            match executor.worker_count() {
                0 => drop(executor.turn(TurnBudget::default()).unwrap()),
                _ => std::thread::yield_now(),
            }
        }
        run.cancel();
        let _ = run.wait();
        scope.spawn(|_| ()).unwrap().wait().unwrap();
        let counts = executor.counts();
        assert_eq!((counts.runs_submitted, counts.waits_begun, counts.waits_inline), (2, 4, 1));
        assert_eq!((counts.waits_fired, counts.waits_cancelled, counts.waits_timed_out), (1, 1, 1));
        assert_eq!(counts.waits_armed(), 3);
    });
}
