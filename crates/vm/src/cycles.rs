//! Lists that hold each other in a circle, which counting alone never frees.
//!
//! Not here: who suspects a list (`list.set.ref` of a list into a list).
//!
//! # How
//! From the suspects, follow lists to lists. All of them are locked, so that no reference can move from or to
//! them. A list whose references all come from lists of this set (and from the set of suspects itself) can be reached by
//! nobody outside, unless through a list that somebody outside holds. What is left is garbage and is emptied.
//!
//! # Invariants
//! - Y1: between the first lock and the decision, no edge of the set changes; references from outside only come from
//!   references from outside. So a list that has none now can't get one.
//! - Y2: a list that another program has locked ends the attempt: the suspects stay suspects.

use crate::context::ContextInner;
use crate::list::{Access, Held, List};
use crate::machine::Core;
use crate::object::Ref;
use crate::tuning::SUSPECTS_MIN;
use std::collections::HashMap;
use std::sync::MutexGuard;

/// Frees the circles among what the suspects reach; returns the suspects that are still in use.
pub(crate) fn collect(suspects: Vec<Ref>) -> Vec<Ref> {
    let mut nodes: Vec<Ref> = Vec::new();
    let mut index: HashMap<usize, usize> = HashMap::new();
    // How many of a list's references are ours: suspects, and `nodes` itself.
    let mut held: Vec<usize> = Vec::new();
    for suspect in suspects {
        // A suspect that nobody else holds simply ends.
        if suspect.is_unique() {
            continue;
        }
        if index.contains_key(&suspect.address()) {
            continue;
        }
        index.insert(suspect.address(), nodes.len());
        nodes.push(suspect);
        held.push(1);
    }
    let mut edges: Vec<Vec<usize>> = Vec::new();
    let mut locks: Vec<Held> = Vec::new();
    let suspects_count = nodes.len();
    let mut at = 0;
    while at < nodes.len() {
        let Some(lock) = Held::lock(nodes[at].clone()) else {
            drop(locks);
            nodes.truncate(suspects_count);
            return nodes;
        };
        held[at] += 1;
        let mut targets = Vec::new();
        lock.for_each_ref(|child| {
            if child.is::<List>() {
                let next = *index.entry(child.address()).or_insert_with(|| {
                    nodes.push(child.clone());
                    held.push(1);
                    nodes.len() - 1
                });
                targets.push(next);
            }
        });
        edges.push(targets);
        locks.push(lock);
        at += 1;
    }
    let mut inside = vec![0usize; nodes.len()];
    edges.iter().flatten().for_each(|target| inside[*target] += 1);
    let mut live: Vec<bool> =
        (0..nodes.len()).map(|node| nodes[node].count() > inside[node] + held[node]).collect();
    let mut open: Vec<usize> = (0..nodes.len()).filter(|node| live[*node]).collect();
    while let Some(node) = open.pop() {
        for target in &edges[node] {
            if !std::mem::replace(&mut live[*target], true) {
                open.push(*target);
            }
        }
    }
    drop(locks);
    let mut alive = Vec::new();
    for (at, node) in nodes.into_iter().enumerate() {
        if !live[at] {
            // Nobody can reach it any more, so nobody holds its lock.
            if let Some(list) = node.get::<List>() {
                drop(Access::Shared(list).resize(0));
            }
        } else if at < suspects_count {
            alive.push(node);
        }
    }
    alive
}

impl ContextInner {
    fn suspects(&self) -> MutexGuard<'_, Vec<Ref>> {
        self.suspects.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Keeps lists that may be parts of circles; all of them, if it is time to look at them.
    fn suspect(&self, lists: Vec<Ref>) -> Option<Vec<Ref>> {
        let mut kept = self.suspects();
        kept.extend(lists);
        (kept.len() > kept.capacity() / 2 && kept.len() > SUSPECTS_MIN).then(|| std::mem::take(&mut *kept))
    }
}

impl Core {
    /// Looks for circles among the lists that this invocation made; hands those in use on to the context.
    pub(crate) fn collect(&mut self) {
        let Some(rare) = self.rare.as_mut().filter(|rare| !rare.suspects.is_empty()) else { return };
        let alive = collect(std::mem::take(&mut rare.suspects));
        if alive.is_empty() {
            return;
        }
        let Some(all) = self.context().suspect(alive) else { return };
        // Without the lock: what ends here may be anybody's object, whose end may call functions of this context.
        let left = collect(all);
        let mut kept = self.context().suspects();
        kept.reserve(left.len() * 2 + SUSPECTS_MIN * 2);
        kept.extend(left);
    }

    /// Looks for circles in the middle of a long run, when many lists were nested since the last time.
    pub(crate) fn suspect(&mut self, list: Ref) {
        let suspects = &mut self.rare().suspects;
        suspects.push(list);
        if suspects.len() >= SUSPECTS_MIN && suspects.len() == suspects.capacity() {
            let mut alive = collect(std::mem::take(suspects));
            alive.reserve_exact(alive.len() + SUSPECTS_MIN);
            *suspects = alive;
        }
    }
}
