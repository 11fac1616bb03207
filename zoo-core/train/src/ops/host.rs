//! One custom operation of the engine for all kernels: a kernel is a value that computes outputs and gradients from
//! slices, the operation carries tensors in and out and enters the graph.

use crate::kernels::Scratch;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::tensor::FloatTensor;
use burn::backend::{Autodiff, Backend, Dispatch, Flex, backend_extension};
use burn::tensor::{Tensor, TensorData};
use std::fmt::Debug;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A kernel with its geometry, and whatever its forward pass must keep for its backward pass.
///
/// Slices are contiguous and have the lengths the caller's geometry gave, which the public functions check; methods
/// return `Err` only if that was broken.
pub(super) trait HostKernel: Send + Sync + Debug {
    /// Shape of the output.
    fn output_shape(&self) -> Vec<usize>;

    /// Computes the output; `tracked` says whether a backward pass may follow.
    fn forward(&self, inputs: &[&[f32]], tracked: bool) -> zoo_core::Result<Vec<f32>>;

    /// Gradients of those inputs that need one.
    fn backward(&self, inputs: &[&[f32]], output_grad: &[f32], needed: &[bool]) -> zoo_core::Result<Vec<Option<Vec<f32>>>>;

    /// Whether the backward pass reads the inputs; they are released early otherwise.
    fn reads_inputs(&self) -> bool {
        true
    }
}

/// A kernel shared between the forward and the backward pass.
pub(super) type Shared = Arc<dyn HostKernel>;

/// Runs `work` with this thread's working memory, so that layers share one buffer.
pub(super) fn with_scratch<R>(work: impl FnOnce(&mut Scratch) -> R) -> R {
    thread_local! {
        static SCRATCH: std::cell::RefCell<Scratch> = std::cell::RefCell::new(Scratch::new());
    }
    SCRATCH.with(|scratch| match scratch.try_borrow_mut() {
        Ok(mut scratch) => work(&mut scratch),
        // A kernel called from inside a kernel on this thread (rayon may steal work): its own memory.
        Err(_) => work(&mut Scratch::new()),
    })
}

/// What a forward pass leaves for the backward pass.
pub(super) fn lock<T>(kept: &Mutex<T>) -> MutexGuard<'_, T> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Backend methods with one to three tensor inputs.
#[backend_extension(Autodiff, Flex)]
pub(super) trait HostOps: Backend {
    fn host1(a: FloatTensor<Self>, kernel: Shared) -> FloatTensor<Self>;
    fn host2(a: FloatTensor<Self>, b: FloatTensor<Self>, kernel: Shared) -> FloatTensor<Self>;
    fn host3(a: FloatTensor<Self>, b: FloatTensor<Self>, c: FloatTensor<Self>, kernel: Shared) -> FloatTensor<Self>;
}

/// Applies a kernel to one tensor.
pub(super) fn apply1<const A: usize, const O: usize>(a: Tensor<A>, kernel: Shared) -> Tensor<O> {
    Tensor::from_dispatch(<Dispatch as HostOps>::host1(a.into_dispatch(), kernel))
}

/// Applies a kernel to two tensors.
pub(super) fn apply2<const A: usize, const B: usize, const O: usize>(a: Tensor<A>, b: Tensor<B>, kernel: Shared) -> Tensor<O> {
    Tensor::from_dispatch(<Dispatch as HostOps>::host2(a.into_dispatch(), b.into_dispatch(), kernel))
}

/// Applies a kernel to three tensors.
pub(super) fn apply3<const A: usize, const B: usize, const C: usize, const O: usize>(
    a: Tensor<A>,
    b: Tensor<B>,
    c: Tensor<C>,
    kernel: Shared,
) -> Tensor<O> {
    Tensor::from_dispatch(<Dispatch as HostOps>::host3(a.into_dispatch(), b.into_dispatch(), c.into_dispatch(), kernel))
}

type Host = FloatTensor<Flex>;

fn slices(tensors: &[Host]) -> Vec<&[f32]> {
    tensors.iter().map(|t| t.as_slice::<f32>().unwrap_or_default()).collect()
}

fn from_vec(values: Vec<f32>, shape: Vec<usize>) -> Host {
    Host::from_data(TensorData::new(values, shape))
}

/// Runs the forward pass on contiguous tensors. The callers of this module have checked every length and type, so a
/// failure is a defect of this crate.
fn run(kernel: &Shared, inputs: &[Host], tracked: bool) -> Host {
    let values = kernel.forward(&slices(inputs), tracked);
    let values = values.unwrap_or_else(|error| panic!("{kernel:?} was handed what its caller had checked: {error}"));
    from_vec(values, kernel.output_shape())
}

impl HostOps for Flex {
    fn host1(a: Host, kernel: Shared) -> Host {
        run(&kernel, &[a.to_contiguous()], false)
    }

    fn host2(a: Host, b: Host, kernel: Shared) -> Host {
        run(&kernel, &[a.to_contiguous(), b.to_contiguous()], false)
    }

    fn host3(a: Host, b: Host, c: Host, kernel: Shared) -> Host {
        run(&kernel, &[a.to_contiguous(), b.to_contiguous(), c.to_contiguous()], false)
    }
}

/// The node of the graph for a kernel with `N` inputs.
#[derive(Debug)]
struct Step;

/// What the node keeps: the kernel, the shapes of its inputs and, if it reads them, the inputs.
#[derive(Clone, Debug)]
struct State<const N: usize> {
    kernel: Shared,
    shapes: [Vec<usize>; N],
    inputs: Option<[Host; N]>,
}

impl<const N: usize> Backward<Flex, N> for Step {
    type State = State<N>;

    fn backward(self, ops: Ops<State<N>, N>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = grads.consume::<Flex>(&ops.node).to_contiguous();
        let needed: Vec<bool> = ops.parents.iter().map(Option::is_some).collect();
        let State { kernel, shapes, inputs } = ops.state;
        let inputs = inputs.as_ref().map_or_else(Vec::new, |inputs| slices(inputs));
        let results = kernel.backward(&inputs, grad.as_slice::<f32>().unwrap_or_default(), &needed);
        let results = results.unwrap_or_else(|error| panic!("{kernel:?} was handed what its caller had checked: {error}"));
        for ((parent, result), shape) in ops.parents.into_iter().zip(results).zip(shapes) {
            if let (Some(parent), Some(values)) = (parent, result) {
                grads.register::<Flex>(parent.id, from_vec(values, shape));
            }
        }
    }
}

/// Runs the kernel and, if an input is tracked, enters it in the graph.
fn record<C: CheckpointStrategy, const N: usize>(
    inputs: [FloatTensor<Autodiff<Flex, C>>; N],
    kernel: Shared,
) -> FloatTensor<Autodiff<Flex, C>> {
    let nodes = inputs.each_ref().map(|input| input.node());
    let inputs = inputs.map(|input| input.primitive().to_contiguous());
    match Backward::<Flex, N>::prepare::<C>(Step, nodes).compute_bound().stateful() {
        OpsKind::Tracked(prep) => {
            let output = run(&kernel, &inputs, true);
            let shapes = inputs.each_ref().map(|input| input.layout().shape().to_vec());
            let inputs = kernel.reads_inputs().then_some(inputs);
            prep.finish(State { kernel, shapes, inputs }, output)
        }
        OpsKind::UnTracked(prep) => prep.finish(run(&kernel, &inputs, false)),
    }
}

impl<C: CheckpointStrategy> HostOps for Autodiff<Flex, C> {
    fn host1(a: FloatTensor<Self>, kernel: Shared) -> FloatTensor<Self> {
        record::<C, 1>([a], kernel)
    }

    fn host2(a: FloatTensor<Self>, b: FloatTensor<Self>, kernel: Shared) -> FloatTensor<Self> {
        record::<C, 2>([a, b], kernel)
    }

    fn host3(a: FloatTensor<Self>, b: FloatTensor<Self>, c: FloatTensor<Self>, kernel: Shared) -> FloatTensor<Self> {
        record::<C, 3>([a, b, c], kernel)
    }
}
