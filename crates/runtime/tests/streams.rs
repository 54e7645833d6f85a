//! Compiled programs that wait on the world: pipes, sockets, files.

mod support;

use raddle::vm::{Buffer, Ref};
use raddle::*;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use support::*;

const STREAMS: &[u8] = include_bytes!("../../../tests/programs/runtime/streams.vmfb");

fn session(runtime: &Runtime, access: Access) -> Session {
    runtime.session().access(access).bytes(STREAMS).unwrap().build().unwrap()
}

fn bytes(bytes: impl Into<Vec<u8>>) -> Value {
    Value::object(Buffer::constant(Arc::new(bytes.into())))
}

fn nonblocking(fd: impl Into<OwnedFd>) -> OwnedFd {
    let fd = fd.into();
    rustix::io::ioctl_fionbio(&fd, true).unwrap();
    fd
}

#[test]
fn lines_are_read_as_they_come() {
    for workers in [0, 1] {
        let runtime = runtime(workers);
        let session = session(&runtime, Access::default());
        let (reader, mut writer) = std::io::pipe().unwrap();
        let stream = StreamObject::value(&runtime, nonblocking(reader)).unwrap();
        let mut lines = session.function("lines").unwrap().invoke((stream,));
        lines.start().unwrap();
        let text = "one\n\nthree words here\n".repeat(5000) + "without an end";
        std::thread::scope(|scope| {
            scope.spawn(move || {
                // In pieces that don't end where lines do.
                for piece in text.as_bytes().chunks(1000) {
                    writer.write_all(piece).unwrap();
                }
            });
            let (count, length) = lines.wait_until(NEVER).unwrap().to::<(i64, i64)>().unwrap();
            assert_eq!((count, length), (15_001, 5000 * 19 + 14));
        });
    }
}

#[test]
fn a_chain_of_programs_is_held_back_by_its_pipes() {
    let runtime = runtime(2);
    let session = session(&runtime, Access::default());
    let pipe = session.function("pipe").unwrap();
    let ends = || pipe.invoke(()).wait().unwrap().to::<(Ref, Ref)>().unwrap();
    let ((first_out, first_in), (second_out, second_in)) = (ends(), ends());
    let text: Vec<u8> = (0..1_000_000_u32).map(|at| if at % 50 == 49 { b'\n' } else { b'x' }).collect();
    let copy = session.function("copy").unwrap().typed::<(Ref, Ref), i64>().unwrap();
    let write = session.function("write").unwrap();
    let mut copies = copy.invoke((first_out, second_in));
    let mut writes = write.invoke((first_in, bytes(text)));
    copies.start().unwrap();
    writes.start().unwrap();
    let lines = session.function("lines").unwrap().invoke((second_out,)).wait().unwrap();
    assert_eq!(lines.to::<(i64, i64)>().unwrap(), (20_000, 20_000 * 49));
    assert_eq!(copies.wait_until(NEVER).unwrap(), 1_000_000);
    writes.wait_until(NEVER).unwrap();
    assert!(writes.suspensions() > 0, "a pipe holds less than was written");
}

#[test]
fn programs_talk_over_sockets() {
    for workers in [0, 2] {
        let runtime = runtime(workers);
        let session = session(&runtime, Access::default().loopback());
        let listen = session.function("listen").unwrap();
        let (listener, port) = listen.invoke(()).wait().unwrap().to::<(Ref, i32)>().unwrap();
        let (serve, ask) = (session.function("serve").unwrap(), session.function("ask").unwrap());
        let mut served: Vec<_> = (0..20).map(|_| serve.invoke((listener.clone(),))).collect();
        served.iter_mut().for_each(|call| call.start().unwrap());
        let mut asked: Vec<_> =
            (0..20).map(|at| ask.invoke((port, bytes(format!("question {at}\nand more"))))).collect();
        asked.iter_mut().for_each(|call| call.start().unwrap());
        for (at, call) in asked.into_iter().enumerate() {
            let answer = call.wait().unwrap().to::<Ref>().unwrap();
            let answer = answer.get::<Buffer>().unwrap().to_vec();
            assert_eq!(String::from_utf8(answer).unwrap(), format!("question {at}"));
        }
        served.into_iter().for_each(|call| drop(call.wait().unwrap()));
    }
}

#[test]
fn what_is_closed_or_refused_is_a_status() {
    let runtime = runtime(1);
    let session = session(&runtime, Access::default().loopback());
    let write = session.function("write").unwrap();
    let (reader, writer) = std::io::pipe().unwrap();
    let stream = StreamObject::value(&runtime, nonblocking(writer)).unwrap();
    drop(reader);
    let error = write.invoke((stream.clone(), bytes("x"))).wait().unwrap_err();
    assert!(error.to_string().contains("can't write"), "{error}");
    // A port on which nobody listens: it was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = i32::from(listener.local_addr().unwrap().port());
    drop(listener);
    let ask = session.function("ask").unwrap();
    let error = ask.invoke((port, bytes("x"))).wait().unwrap_err();
    assert!(error.to_string().contains("can't connect"), "{error}");
    assert_eq!(code(ask.invoke((70_000, bytes("x"))).wait()), Code::InvalidArgument);
    let (reader, mut kept) = std::io::pipe().unwrap();
    assert_eq!(StreamObject::value(&runtime, reader).unwrap_err().code(), Code::InvalidArgument);
    assert!(kept.write(b"x").is_err());
    // A line that never ends is bounded.
    let (mut rest, writer) = std::os::unix::net::UnixStream::pair().unwrap();
    let stream = StreamObject::value(&runtime, nonblocking(writer)).unwrap();
    let mut lines = session.function("lines").unwrap().invoke((stream,));
    lines.start().unwrap();
    std::thread::spawn(move || while rest.write_all(&[b'x'; 4096]).is_ok() {});
    assert_eq!(code(lines.wait_until(NEVER)), Code::ResourceExhausted);
}

#[test]
fn a_reader_that_is_cancelled_leaves_the_stream_to_others() {
    let runtime = runtime(1);
    let session = session(&runtime, Access::default());
    let (reader, mut writer) = std::io::pipe().unwrap();
    let stream = StreamObject::value(&runtime, nonblocking(reader)).unwrap();
    let lines = session.function("lines").unwrap();
    let mut first = lines.invoke((stream.clone(),));
    first.start().unwrap();
    until_waiting(&first);
    assert!(first.cancel());
    assert_eq!(code(first.wait_until(NEVER)), Code::Cancelled);
    assert_eq!(first.ending(), Some(Ending::WhileWaiting));
    writer.write_all(b"a\nb\n").unwrap();
    drop(writer);
    assert_eq!(lines.invoke((stream,)).wait().unwrap().to::<(i64, i64)>().unwrap(), (2, 2));
}

#[test]
fn files_are_read_and_written_by_workers_or_a_pool() {
    let folder = std::env::temp_dir();
    let text = vec![b'y'; 100_000];
    for pool in [None, Some(FilePool::new(2).unwrap())] {
        let runtime = runtime(1);
        let path = folder.join(format!("raddle-file-{}-{}", std::process::id(), pool.is_some()));
        let mut builder = runtime.session().access(Access::default().files());
        let is_pooled = pool.is_some();
        if let Some(pool) = pool {
            builder = builder.file_pool(pool);
        }
        let session = builder.bytes(STREAMS).unwrap().build().unwrap();
        let file = session.function("file").unwrap();
        let mut call = file.invoke((bytes(path.display().to_string()), bytes(text.clone())));
        assert_eq!(call.wait_until(NEVER).unwrap().to::<i64>().unwrap(), 100_000);
        assert!(is_pooled || call.suspensions() == 0, "the worker reads and writes itself");
        let mut written = Vec::new();
        std::fs::File::open(&path).unwrap().read_to_end(&mut written).unwrap();
        assert!(written == text);
        std::fs::remove_file(&path).unwrap();
        let nowhere = file.invoke((bytes("/no/such/folder/x"), bytes("x"))).wait();
        assert_eq!(code(nowhere), Code::NotFound);
    }
    assert_eq!(FilePool::new(0).unwrap_err().code(), Code::InvalidArgument);
}

#[test]
fn what_is_not_granted_is_refused() {
    let runtime = runtime(0);
    let session = session(&runtime, Access::default());
    let error = session.function("file").unwrap().invoke((bytes("x"), bytes("x"))).wait().unwrap_err();
    assert!(
        error.code() == Code::PermissionDenied && error.to_string().contains("no access to files"),
        "{error}"
    );
    assert_eq!(code(session.function("listen").unwrap().invoke(()).wait()), Code::PermissionDenied);
    assert_eq!(code(session.function("ask").unwrap().invoke((1, bytes("x"))).wait()), Code::PermissionDenied);
}
