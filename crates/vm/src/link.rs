//! Building a context: dependencies, imports, classification, forks, the end.
//!
//! Not here: what a context holds ([`Context`]), running `__init` ([`crate::building`]).
//!
//! Order: every module's dependencies and imports are resolved against the modules before it, then the `__init`
//! functions run in order. If one fails, the `__deinit` functions of that module and of those before it run in reverse.

use crate::budget::Slice;
use crate::context::{Binding, Context, ContextInner, Instance, Limits, ModuleState};
use crate::cycles;
use crate::isa::{Callee, Op};
use crate::list::List;
use crate::machine::{Core, End, Left};
use crate::module::Import;
use crate::native::NativeModule;
use crate::object::Ref;
use crate::translate::Program;
use raddle_status::{Code, Error, Result, ResultExt};
use std::sync::Arc;

/// Collects the modules of a context, in order of dependency.
#[must_use = "nothing happens before `build`"]
#[derive(Default)]
pub struct ContextBuilder {
    limits: Limits,
    modules: Vec<Part>,
}

enum Part {
    Bytecode(Arc<Program>),
    Native(NativeModule),
}

impl Context {
    /// An empty context to be filled.
    pub fn builder() -> ContextBuilder {
        ContextBuilder::default()
    }
}

impl ContextBuilder {
    /// Limits other than the default ones.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Adds a bytecode module.
    pub fn program(mut self, program: Arc<Program>) -> Self {
        self.modules.push(Part::Bytecode(program));
        self
    }

    /// Adds a native module.
    pub fn native(mut self, module: NativeModule) -> Self {
        self.modules.push(Part::Native(module));
        self
    }

    /// Links the modules. Their `__init` functions have not run.
    pub(crate) fn link(self) -> Result<ContextInner> {
        let mut instances: Vec<Instance> = Vec::new();
        let mut engine = None;
        for module in self.modules {
            let instance = match module {
                Part::Native(module) => Instance::Native { entries: module.instantiate()?, module },
                Part::Bytecode(program) => {
                    if *engine.get_or_insert(program.engine()) != program.engine() {
                        let text = "the programs of a context must be prepared for one engine";
                        return Err(Error::new(Code::FailedPrecondition, text));
                    }
                    let imports = link(&program, &instances)
                        .within(|| format!("resolving module '{}' imports", program.module().name()))?;
                    Instance::Bytecode(ModuleState::new(program, imports))
                }
            };
            instances.push(instance);
        }
        if u16::try_from(instances.len()).is_err() {
            let text = format!("a context of {} modules: at most {} fit", instances.len(), u16::MAX);
            return Err(Error::new(Code::ResourceExhausted, text));
        }
        Ok(ContextInner::new(instances, self.limits, engine.unwrap_or_default()))
    }
}

fn name_of(instance: &Instance) -> (&str, u32) {
    match instance {
        Instance::Bytecode(state) => (state.program().module().name(), state.program().module().version()),
        Instance::Native { module, .. } => (module.name(), module.version()),
    }
}

/// Checks the dependencies of a module and binds its imports.
fn link(program: &Program, before: &[Instance]) -> Result<Vec<Binding>> {
    for dependency in program.module().dependencies() {
        let found = before.iter().map(name_of).find(|(name, _)| *name == &*dependency.name);
        match found {
            _ if dependency.is_optional => {}
            Some((_, version)) if version >= dependency.minimum_version => {}
            Some((name, version)) => {
                let least = dependency.minimum_version;
                let text = format!("module {name} has version {version}, version {least} is required");
                return Err(Error::new(Code::NotFound, text));
            }
            None => {
                let text = format!("the required module {} is not in the context", dependency.name);
                return Err(Error::new(Code::NotFound, text));
            }
        }
    }
    program.module().imports().iter().map(|import| bind(import, before)).collect()
}

fn bind(import: &Import, before: &[Instance]) -> Result<Binding> {
    let Some((module, function)) = import.full_name.split_once('.') else {
        let text = format!("the import name {} has no dot between module and function", import.full_name);
        return Err(Error::new(Code::InvalidArgument, text));
    };
    if Hook::is_name(function) {
        let text = format!("the import {} is called by its context only", import.full_name);
        return Err(Error::new(Code::PermissionDenied, text));
    }
    for (index, instance) in
        before.iter().enumerate().rev().filter(|(_, instance)| name_of(instance).0 == module)
    {
        let (convention, binding) = match instance {
            Instance::Native { module, entries } => {
                let Some(export) = module.find(function) else { continue };
                (export.convention.to_owned(), Binding::Native(entries[export.index].clone()))
            }
            Instance::Bytecode(state) => {
                let Ok(found) = state.program().module().find(function) else { continue };
                let binding = Binding::Bytecode { instance: index, function: found.ordinal() };
                (found.signature().text().to_owned(), binding)
            }
        };
        let wanted = import.signature.text();
        if wanted != convention {
            let name = &import.full_name;
            let text = format!(
                "import {name} expects the calling convention '{wanted}', its provider has '{convention}'"
            );
            return Err(Error::new(Code::Internal, text));
        }
        return Ok(binding);
    }
    if import.is_optional {
        return Ok(Binding::Missing);
    }
    Err(Error::new(Code::NotFound, format!("the required import {} is not provided", import.full_name)))
}

/// A function that a context calls by itself: nobody else can, so that globals which only these write are constants.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hook {
    Init,
    Deinit,
}

impl Hook {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Hook::Init => "__init",
            Hook::Deinit => "__deinit",
        }
    }

    /// Whether a function of this name is called by contexts only.
    pub(crate) fn is_name(name: &str) -> bool {
        [Hook::Init, Hook::Deinit].iter().any(|hook| hook.name() == name)
    }
}

impl ContextInner {
    /// The function behind a hook, if the module has it.
    pub(crate) fn hook(&self, instance: usize, hook: Hook) -> Result<Option<u32>> {
        let Instance::Bytecode(state) = &self.instances[instance] else { return Ok(None) };
        let Ok(function) = state.program().module().find(hook.name()) else { return Ok(None) };
        if function.signature().arguments().is_empty() && function.signature().results().is_empty() {
            return Ok(Some(function.ordinal()));
        }
        Err(Error::new(Code::InvalidArgument, "it must take and return nothing"))
    }

    /// Where an error of a hook comes from.
    pub(crate) fn hook_place(&self, instance: usize, hook: Hook) -> String {
        format!("in {} of module {}", hook.name(), name_of(&self.instances[instance]).0)
    }

    /// Runs `__deinit` to its end, to a wait, or for `init_steps_max` steps.
    fn deinit(&self, instance: usize) -> Result {
        let Some(ordinal) = self.hook(instance, Hook::Deinit)? else { return Ok(()) };
        let mut stack = vec![0u128; 256];
        let bytes = stack.len() * 16;
        let limit = stack.as_mut_ptr().expose_provenance() + bytes;
        let mut core = Core::new(self, instance as u16, limit, bytes as u32);
        core.push_outermost(self.state(instance).program().outermost(ordinal)?)?;
        let mut steps = self.limits.init_steps_max;
        while steps > 0
            && core.drive(&mut Left::Nothing, |core| core.run(&Slice::steps(steps))) == End::Yielded
        {
            steps = core.unused_steps().min(steps - 1);
            drop(core.take_native());
        }
        core.abandon();
        Ok(())
    }

    /// Whether the context is stateful; see [`crate::context`].
    pub(crate) fn classify(&self) -> bool {
        self.instances.iter().any(|instance| match instance {
            Instance::Native { .. } => false,
            Instance::Bytecode(state) => {
                stores(state.program()) || state.ref_globals().any(|object| !shareable(object))
            }
        })
    }
}

/// Whether a function that a host or another module can call may store to a global.
fn stores(program: &Program) -> bool {
    let module = program.module();
    let roots = module.exports().iter().filter(|export| !Hook::is_name(&export.name));
    let mut reached = vec![false; module.function_count() as usize];
    let mut open: Vec<u32> = roots.map(|export| export.function).collect();
    while let Some(ordinal) = open.pop() {
        if std::mem::replace(&mut reached[ordinal as usize], true) {
            continue;
        }
        let Some(function) = module.function(ordinal) else { continue };
        for inst in function.instructions() {
            match inst.op {
                Op::Call | Op::CallYieldable => {
                    if let Callee::Internal(callee) = inst.callee(0) {
                        open.push(callee);
                    }
                }
                Op::GlobalLoadRef | Op::GlobalLoadIndirectRef if inst.reg(2).is_move() => return true,
                op if op.mnemonic().starts_with("global.store") => return true,
                _ => {}
            }
        }
    }
    false
}

/// Whether everything that can be reached from the object may be shared.
fn shareable(object: Ref) -> bool {
    match object.get::<crate::Buffer>() {
        Some(buffer) => !buffer.is_mutable(),
        None => object.ty().shareable() && !object.is::<List>(),
    }
}

impl Context {
    /// A context with the same modules and a copy of their state: primitive globals by value, refs shared.
    ///
    /// Objects that globals refer to are shared with the original. Native modules get a new state.
    ///
    /// # Errors
    /// `UNAVAILABLE`: an invocation of the stateful context runs at the moment. What a native module's state fails with.
    pub fn fork(&self) -> Result<Context> {
        let busy = || Error::new(Code::Unavailable, "an invocation of the context to be forked is under way");
        let _turn = self.try_turn().ok_or_else(busy)?;
        let mut instances = Vec::new();
        for instance in &self.0.instances {
            let copy = match instance {
                Instance::Native { module, .. } => {
                    Instance::Native { entries: module.instantiate()?, module: module.clone() }
                }
                Instance::Bytecode(state) => {
                    let imports = link(state.program(), &instances)?;
                    Instance::Bytecode(state.fork(imports))
                }
            };
            instances.push(copy);
        }
        let mut inner = ContextInner::new(instances, self.0.limits, self.0.engine);
        inner.initialised = inner.instances.len();
        inner.stateful = self.0.stateful;
        Ok(Context(Arc::new(inner)))
    }
}

impl Drop for ContextInner {
    fn drop(&mut self) {
        for index in (0..self.initialised).rev() {
            // An error here has nobody to go to; the fact sheet's section 6.2 has them ignored.
            let _ = self.deinit(index);
        }
        for instance in &self.instances {
            if let Instance::Bytecode(state) = instance {
                state.clear_refs();
            }
        }
        let suspects =
            std::mem::take(self.suspects.get_mut().unwrap_or_else(|poisoned| poisoned.into_inner()));
        cycles::collect(suspects);
    }
}
