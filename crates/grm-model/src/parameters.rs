//! Parameters by the names checkpoints give them.
//!
//! Fields are named as in the checkpoints, so a parameter's path is its name; only the two factors of an adapter are
//! called otherwise there.

use std::collections::{BTreeMap, BTreeSet};

use burn::{
    module::{Module, ModuleMapper, ModuleVisitor, Param},
    tensor::{Gradients as BurnGradients, Tensor},
};

use crate::network::{Gradients, ParameterInfo};

/// The place in a module while it is walked.
#[derive(Debug, Default)]
struct Path(Vec<String>);

impl Path {
    fn starting_at(prefix: &str) -> Self {
        Self(prefix.split('.').filter(|part| !part.is_empty()).map(str::to_owned).collect())
    }

    fn name(&self) -> String {
        let path = self.0.join(".");
        let adapter = |from: &str, to: &str| path.strip_suffix(from).map(|module| format!("{module}{to}"));
        adapter(".lora.a", ".lora_A.weight").or_else(|| adapter(".lora.b", ".lora_B.weight")).unwrap_or(path)
    }
}

/// Calls `visit` with the name, shape and flat value of every parameter under `prefix`.
pub(crate) fn visit<M: Module>(module: &M, prefix: &str, visit: &mut dyn FnMut(String, Vec<usize>, Tensor<1>)) {
    struct Visitor<'a>(Path, &'a mut dyn FnMut(String, Vec<usize>, Tensor<1>));
    impl ModuleVisitor for Visitor<'_> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.0.0.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.0.0.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = param.val();
            let shape = value.dims().to_vec();
            (self.1)(self.0.name(), shape, value.flatten(0, D - 1));
        }
    }
    module.visit(&mut Visitor(Path::starting_at(prefix), visit));
}

/// Passes every parameter named in `which` through `change`.
pub(crate) fn map<M: Module>(
    module: M,
    prefix: &str,
    which: &BTreeSet<String>,
    change: &mut dyn FnMut(&str, Tensor<1>) -> Tensor<1>,
) -> M {
    struct Mapper<'a>(Path, &'a BTreeSet<String>, &'a mut dyn FnMut(&str, Tensor<1>) -> Tensor<1>);
    impl ModuleMapper for Mapper<'_> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.0.0.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.0.0.pop();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let name = self.0.name();
            if !self.1.contains(&name) {
                return param;
            }
            param.map(|value| {
                let shape = value.shape();
                (self.2)(&name, value.flatten(0, D - 1)).reshape(shape)
            })
        }
    }
    module.map(&mut Mapper(Path::starting_at(prefix), which, change))
}

/// Freezes every parameter but those `trainable` names.
pub(crate) fn set_trainable<M: Module>(module: M, prefix: &str, trainable: &dyn Fn(&str) -> bool) -> M {
    struct Mapper<'a>(Path, &'a dyn Fn(&str) -> bool);
    impl ModuleMapper for Mapper<'_> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.0.0.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.0.0.pop();
        }
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let trainable = (self.1)(&self.0.name());
            param.set_require_grad(trainable)
        }
    }
    module.map(&mut Mapper(Path::starting_at(prefix), trainable))
}

/// Name and shape of every parameter that `trainable` names.
pub(crate) fn infos<M: Module>(module: &M, prefix: &str, trainable: &dyn Fn(&str) -> bool) -> Vec<ParameterInfo> {
    let mut infos = Vec::new();
    visit(module, prefix, &mut |name, shape, _| {
        if trainable(&name) {
            infos.push(ParameterInfo { name, shape });
        }
    });
    infos
}

/// Moves the gradients of `module`'s parameters, where there are any, from burn's store to ours.
pub(crate) fn collect<M: Module>(module: &M, prefix: &str, from: &mut BurnGradients, into: &mut Gradients) {
    struct Visitor<'a>(Path, &'a mut BurnGradients, &'a mut Gradients);
    impl ModuleVisitor for Visitor<'_> {
        fn enter_module(&mut self, name: &str, _container: &str) {
            self.0.0.push(name.to_owned());
        }
        fn exit_module(&mut self, _name: &str, _container: &str) {
            self.0.0.pop();
        }
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if let Some(gradient) = param.val().grad_remove(self.1) {
                self.2.add(&self.0.name(), gradient.flatten(0, D - 1));
            }
        }
    }
    module.visit(&mut Visitor(Path::starting_at(prefix), from, into));
}

/// Host copies of parameters, by name.
pub type HostParameters = BTreeMap<String, crate::weights::HostTensor>;

/// Copies every parameter under `prefix` to the host.
pub(crate) fn to_host<M: Module>(module: &M, prefix: &str, wanted: &dyn Fn(&str) -> bool) -> HostParameters {
    let mut parameters = HostParameters::new();
    visit(module, prefix, &mut |name, shape, value| {
        if wanted(&name) {
            let values = host_values(value);
            parameters.insert(name, crate::weights::HostTensor { shape, values });
        }
    });
    parameters
}

/// The values of a float tensor, in row-major order.
pub(crate) fn host_values<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.try_into_vec_as::<f32>().expect("float tensors convert to f32")
}
