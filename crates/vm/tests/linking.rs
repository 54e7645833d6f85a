//! How modules find each other: dependencies and their versions, which provider an import gets, what optional forgives.

use raddle_status::{Code, Result};
use raddle_vm::*;

/// A module with the function `get` of this value, under a name with two dots for an importer.
fn host(version: u32, value: i32) -> NativeModule {
    let module = NativeModule::builder("host").version(version);
    let module =
        module.function("get", move |_: &()| Ok(value)).function("inner.get", move |_: &()| Ok(-value));
    module.build().unwrap()
}

/// A context of these hosts, and a module whose function `f` calls the import of this name.
fn link(hosts: &[NativeModule], import: &str, dependency: Option<(&str, u32, bool)>) -> Result<Context> {
    let name = import.rsplit(' ').next().unwrap();
    let text = format!(
        "vm.module @m\nvm.import {import} cconv \"0v_i\"\nvm.export @f\n\
         vm.func @f() -> (i32) {{\n  %i0 = vm.call {name}()\n  vm.return %i0\n}}\n"
    );
    let mut module = assemble(&text)?;
    if let Some((name, version, optional)) = dependency {
        module.dependency(name, version, optional);
    }
    let program = Program::new(Module::load(module.build())?, &Registry::new())?;
    hosts
        .iter()
        .fold(Context::builder(), |builder, host| builder.native(host.clone()))
        .program(program)
        .build()
}

/// What `f` gives.
fn call(context: &Context) -> Result<Vec<Value>> {
    let idle = Idle::new(&context.function("f")?, &Storage::default())?;
    match idle.begin(&[], &Slice::default()) {
        Outcome::Finished(finished) => Ok(finished.results()),
        Outcome::Failed(_, error) => Err(error),
        other => panic!("{other:?}"),
    }
}

/// Linking fails with this code, and says this.
fn refused(linked: Result<Context>, code: Code, told: &str) {
    let error = linked.unwrap_err();
    assert!(error.code() == code && error.to_string().contains(told), "{error}");
}

#[test]
fn imports_take_the_last_provider_and_dependencies_look_at_the_first() {
    let hosts = [host(5, 1), host(9, 2)];
    assert_eq!(call(&link(&hosts, "@host.get", None).unwrap()).unwrap(), [Value::I32(2)]);
    assert!(link(&hosts, "@host.get", Some(("host", 5, false))).is_ok());
    let old = link(&hosts, "@host.get", Some(("host", 6, false)));
    refused(old, Code::NotFound, "module host has version 5, version 6 is required");
    let absent = link(&hosts, "@host.get", Some(("other", 0, false)));
    refused(absent, Code::NotFound, "the required module other is not in the context");
    assert!(link(&hosts, "@host.get", Some(("host", 6, true))).is_ok(), "an optional one has no version");
    assert!(link(&hosts, "@host.get", Some(("other", 0, true))).is_ok());
}

#[test]
fn names_are_split_at_their_first_dot() {
    assert_eq!(call(&link(&[host(0, 7)], "@host.inner.get", None).unwrap()).unwrap(), [Value::I32(-7)]);
    refused(link(&[host(0, 7)], "@get", None), Code::InvalidArgument, "no dot");
}

#[test]
fn optional_forgives_what_is_missing_and_nothing_else() {
    let missing = link(&[host(0, 7)], "optional @host.missing", None).unwrap();
    assert_eq!(call(&missing).unwrap_err().code(), Code::NotFound);
    refused(link(&[host(0, 7)], "@host.missing", None), Code::NotFound, "host.missing is not provided");
    let other = NativeModule::builder("host").function("get", |_: &(), _: i64| Ok(())).build().unwrap();
    refused(link(&[other], "optional @host.get", None), Code::Internal, "'0v_i'");
}
