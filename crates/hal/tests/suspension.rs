//! Programs that really suspend in `fence.await`, and work that really waits for fences: no thread does.
//!
//! Where a thread blocked instead, these tests would hang: without workers, and with one worker and many invocations.

mod support;

use raddle::hal::{Fence, Held};
use raddle::vm::RefOf;
use raddle::wait::{Event, Semaphore};
use raddle::*;
use std::sync::Arc;
use std::time::Duration;
use support::*;

/// The arguments of a call in the asynchronous interface.
fn arguments(inputs: &[Value], wait: &RefOf<Fence>, signal: &RefOf<Fence>) -> Vec<Value> {
    inputs.iter().cloned().chain([reference(wait), reference(signal)]).collect()
}

/// p06 reads a value back in the middle: it awaits whatever its interface is.
struct Branch {
    runtime: Runtime,
    session: Session,
    inputs: Vec<Value>,
}

fn branch(workers: usize) -> Branch {
    let runtime = runtime(workers);
    let device = device(&runtime);
    let bytes = program("p06_if.async.vmfb");
    let session = runtime.session().device(&device).bytes(bytes).unwrap().build().unwrap();
    let inputs = vec![input(&device, "i32=5"), input(&device, "@inputs/p06_x.npy")];
    Branch { runtime, session, inputs }
}

impl Branch {
    fn begin(&self, wait: &RefOf<Fence>, signal: &RefOf<Fence>) -> Invocation {
        let arguments = arguments(&self.inputs, wait, signal);
        let mut invocation = self.session.function("branch").unwrap().invoke(arguments);
        invocation.start().unwrap();
        invocation
    }

    fn until_waiting(&self, invocation: &Invocation) {
        until(&self.runtime, || invocation.is_waiting());
    }
}

#[test]
fn every_asynchronous_program_waits_for_a_fence_that_the_host_signals_later() {
    let mut suspensions = 0;
    for workers in [0, 1, 2] {
        let runtime = runtime(workers);
        let device = device(&runtime);
        for call in plain_calls().iter().filter(|call| call.module.contains(".async.")) {
            let bytes = program(&call.module);
            let session = runtime.session().device(&device).bytes(bytes).unwrap().build().unwrap();
            let function = session.function(&call.function).unwrap();
            let inputs: Vec<Value> = call.inputs.iter().map(|text| input(&device, text)).collect();
            let (wait, signal) = (fence(), fence());
            let mut invocation = function.invoke(arguments(&inputs, &wait, &signal));
            invocation.start().unwrap();
            // Some begin without their fence, having nothing to wait for.
            until(&runtime, || invocation.is_waiting() || invocation.is_done());
            wait.signal().unwrap();
            until(&runtime, || invocation.is_done());
            check(call, &invocation.wait_until(NEVER).unwrap());
            assert!(signal.query().is_ready(), "{}", call.module);
            suspensions += session.awaits().suspensions();
        }
        assert!(device.counts().parked_operations > 20, "work has waited for the fences");
    }
    assert!(suspensions > 0, "no program was suspended in fence.await");
}

#[test]
fn a_device_that_starts_late_suspends_its_programs() {
    for workers in [0, 1, 2] {
        let runtime = runtime(workers);
        let gate = Arc::new(Event::manual());
        let device = builder(&runtime).hold(Held::All, gate.clone()).build().unwrap();
        let bytes = program("abs.sync.vmfb");
        let session = runtime.session().device(&device).bytes(bytes).unwrap().build().unwrap();
        let mut invocation = session.function("abs").unwrap().invoke([input(&device, "f32=-3")]);
        invocation.start().unwrap();
        until(&runtime, || invocation.is_waiting());
        assert_eq!(session.awaits().suspensions(), 1);
        gate.set();
        let outputs = invocation.wait().unwrap();
        let Value::Ref(Some(view)) = &outputs[0] else { panic!("a tensor") };
        assert_eq!(elements(view), [3.0]);
    }
}

#[test]
fn ten_thousand_invocations_wait_on_one_worker() {
    let branch = branch(1);
    let count = 10_000;
    let wait = fence();
    let mut invocations: Vec<Invocation> = (0..count).map(|_| branch.begin(&wait, &fence())).collect();
    until(&branch.runtime, || branch.session.awaits().suspensions() == count);
    wait.signal().unwrap();
    for invocation in &mut invocations {
        let outputs = invocation.wait_until(NEVER).unwrap();
        let Value::Ref(Some(view)) = &outputs[0] else { panic!("a tensor") };
        assert_eq!(elements(view)[7], 16.0);
    }
    assert_eq!(branch.session.awaits().suspensions(), count);
}

#[test]
fn a_failing_fence_fails_what_waits_for_it_and_all_behind() {
    for workers in [0, 1] {
        let branch = branch(workers);
        let (wait, signal) = (fence(), fence());
        let mut invocation = branch.begin(&wait, &signal);
        branch.until_waiting(&invocation);
        assert_eq!(branch.session.awaits().suspensions(), 1);
        wait.fail(&Error::new(Code::DataLoss, "the input was lost"));
        until(&branch.runtime, || invocation.is_done());
        let error = invocation.wait_until(NEVER).unwrap_err();
        assert_eq!((error.code(), error.message()), (Code::DataLoss, "the input was lost"), "{error}");
        let raddle::wait::Readiness::Failed(error) = signal.query() else {
            panic!("the signal fence fails too")
        };
        assert_eq!(error.code(), Code::DataLoss);
        // The device and the session go on.
        let ready = fence();
        ready.signal().unwrap();
        let mut next = branch.begin(&ready, &fence());
        until(&branch.runtime, || next.is_done());
        next.wait_until(NEVER).unwrap();
    }
}

#[test]
fn a_deadline_that_passes_ends_a_suspended_program() {
    for workers in [0, 1] {
        let branch = branch(workers);
        // On a busy machine the deadline may pass before the program has come to its await: then it gets more time.
        let mut time = Duration::from_millis(5);
        while branch.session.awaits().suspensions() == 0 {
            let (wait, signal) = (fence(), fence());
            let arguments = arguments(&branch.inputs, &wait, &signal);
            let deadline = branch.runtime.now() + time.as_nanos() as u64;
            let function = branch.session.function("branch").unwrap();
            let mut invocation = function.invoke(arguments).deadline(deadline);
            invocation.start().unwrap();
            until(&branch.runtime, || invocation.is_done());
            assert_eq!(invocation.wait_until(NEVER).unwrap_err().code(), Code::DeadlineExceeded);
            assert!(matches!(signal.query(), raddle::wait::Readiness::Failed(_)));
            wait.signal().unwrap();
            time *= 2;
        }
    }
}

#[test]
fn a_call_that_never_begins_fails_its_fence() {
    let branch = branch(0);
    let (wait, signal) = (fence(), fence());
    let function = branch.session.function("branch").unwrap();
    let mut invocation = function.invoke(arguments(&branch.inputs, &wait, &signal)).deadline(1);
    assert_eq!(invocation.wait_until(NEVER).unwrap_err().code(), Code::DeadlineExceeded);
    let raddle::wait::Readiness::Failed(error) = signal.query() else { panic!("nobody would signal it") };
    assert_eq!(error.code(), Code::DeadlineExceeded);
}

#[test]
fn cancelling_ends_a_suspended_program_and_its_fence() {
    let branch = branch(1);
    let (wait, signal) = (fence(), fence());
    let mut invocation = branch.begin(&wait, &signal);
    branch.until_waiting(&invocation);
    assert!(invocation.cancel());
    assert_eq!(invocation.wait_until(NEVER).unwrap_err().code(), Code::Cancelled);
    let raddle::wait::Readiness::Failed(error) = signal.query() else { panic!("nobody would signal it") };
    assert_eq!(error.code(), Code::Cancelled);
}

#[test]
fn the_end_of_a_runtime_fails_what_waits() {
    let runtime = runtime(1);
    let device = device(&runtime);
    let bytes = program("p01_matmul.async.vmfb");
    let session = runtime.session().device(&device).bytes(bytes).unwrap().build().unwrap();
    let inputs = [input(&device, "4x8xf32=1"), input(&device, "8x5xf32=1")];
    let (wait, signal) = (fence(), fence());
    let mut invocation = session.function("mm").unwrap().invoke(arguments(&inputs, &wait, &signal));
    invocation.start().unwrap();
    until(&runtime, || device.counts().parked_operations > 0);
    // What is to be allocated behind the fence takes no memory before.
    let live = || device.allocator().statistics().live_bytes;
    assert_eq!(live(), 4 * 8 * 4 + 192, "only the inputs are there");
    drop(runtime);
    assert!(matches!(signal.query(), raddle::wait::Readiness::Failed(_)));
    until_failed(&mut invocation);
    drop(session);
    wait.signal().unwrap();
    assert_eq!(live(), 4 * 8 * 4 + 192, "only the inputs are left");
}

fn until_failed(invocation: &mut Invocation) {
    assert!(invocation.wait_until(NEVER).is_err());
}

#[test]
fn results_are_futures_and_fences_are_sources() {
    let runtime = runtime(1);
    let device = device(&runtime);
    let bytes = program("p01_matmul.async.vmfb");
    let session = runtime.session().device(&device).bytes(bytes).unwrap().build().unwrap();
    let inputs = [input(&device, "4x8xf32=1"), input(&device, "8x5xf32=1")];
    let (wait, signal) = (fence(), fence());
    let function = session.function("mm").unwrap();
    let mut invocation = function.invoke(arguments(&inputs, &wait, &signal));
    let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(std::pin::Pin::new(&mut invocation).poll(&mut cx).is_pending());
    // The signal fence of one call is the wait fence of the next.
    let next = function.invoke(arguments(&inputs, &signal, &fence()));
    let told = Arc::new(Event::manual());
    let tell = told.clone();
    next.on_complete(move |outputs| {
        outputs.unwrap();
        tell.set();
    });
    let slots = raddle::wait::SlotPool::new();
    let mut reached = std::pin::pin!(raddle::wait::Waiting::new(&slots, signal.condition()));
    assert!(reached.as_mut().poll(&mut cx).is_pending() && !told.is_set());
    wait.signal().unwrap();
    until(&runtime, || told.is_set() && invocation.is_done());
    assert!(matches!(reached.as_mut().poll(&mut cx), std::task::Poll::Ready(Ok(_))));
    assert!(std::pin::Pin::new(&mut invocation).poll(&mut cx).is_ready());
}

/// Programs whose constants come from a file where they are not used in place.
const CONSTANTS: [&str; 2] = ["p12_consts.sync.vmfb", "p12_consts.async.vmfb"];

#[test]
fn an_init_is_suspended_while_its_constants_are_on_their_way() {
    for (workers, module) in
        [0, 1, 2].into_iter().flat_map(|workers| CONSTANTS.map(|module| (workers, module)))
    {
        let runtime = runtime(workers);
        let gate = Arc::new(Event::manual());
        let held = builder(&runtime).import_constants(false).hold(Held::Reads, gate.clone()).build().unwrap();
        let call = plain_calls().into_iter().find(|call| call.module == module).unwrap();
        let opening = runtime.session().device(&held).bytes(program(module)).unwrap();
        let awaits = opening.awaits().clone();
        let session = std::thread::scope(|scope| {
            scope.spawn(|| {
                while awaits.suspensions() == 0 {
                    std::thread::yield_now();
                }
                gate.set();
            });
            opening.build().unwrap()
        });
        assert_eq!(session.awaits().suspensions(), 1);
        let inputs: Vec<Value> = call.inputs.iter().map(|text| input(&held, text)).collect();
        check(&call, &session.function("addconst").unwrap().invoke(inputs).wait().unwrap());
    }
}

#[test]
fn an_init_whose_constants_never_come_fails_its_session_and_nothing_else() {
    for workers in [0, 1] {
        let runtime = runtime(workers);
        let gate = Arc::new(Semaphore::new(0));
        let held = builder(&runtime).import_constants(false).hold(Held::Reads, gate.at(1)).build().unwrap();
        let opening = runtime.session().device(&held).bytes(program(CONSTANTS[0])).unwrap();
        let awaits = opening.awaits().clone();
        let error = std::thread::scope(|scope| {
            scope.spawn(|| {
                while awaits.suspensions() == 0 {
                    std::thread::yield_now();
                }
                gate.fail(Error::new(Code::DataLoss, "the disk is gone"));
            });
            opening.build().unwrap_err()
        });
        assert_eq!((error.code(), error.message()), (Code::DataLoss, "the disk is gone"), "{error}");
        let without =
            runtime.session().device(&held).bytes(program("abs.sync.vmfb")).unwrap().build().unwrap();
        without.function("abs").unwrap().invoke([input(&held, "f32=-3")]).wait().unwrap();
    }
}
