//! Nodes that run a graph of their own.

use super::attribute::Attribute;
use super::graph::{Graph, Value, ValueType};
use super::infer::Output;
use super::node::Node;
use super::proto::GraphProto;
use super::proto::type_proto::Value as Kind;
use crate::error::Result;
use zoo_core::Dim;

impl Graph {
    /// Runs `body` over the first axis of `sequences`, handing states from step to step (operator `Scan`).
    ///
    /// # Shapes
    /// The body's inputs are one step of each sequence and then the states, its outputs one step of each result and then the
    /// next states. Returns the results, which have the sequences' first axis in front, and then the last states. Names inside
    /// the body get the body's name and a slash in front.
    ///
    /// # Errors
    /// [`crate::Error::Graph`] if the inputs of the body are not those of a step, or a state changes its type.
    pub fn scan(&mut self, body: &Graph, sequences: &[Value], states: &[Value]) -> Result<Vec<Value>> {
        body.check()?;
        let inputs: Vec<&ValueType> = body.inputs().map(|(_, ty)| ty).collect();
        let outputs: Vec<&ValueType> = body.outputs().map(|(_, ty)| ty).collect();
        let results = outputs.len().saturating_sub(states.len());
        let error = |why: String| self.error(format!("scan over `{}`", body.name), why);
        if body.opset() != self.opset() {
            return Err(error(format!("expected opset {}, found {}", self.opset(), body.opset())));
        }
        if sequences.is_empty() || inputs.len() != sequences.len() + states.len() || outputs.len() < states.len() {
            let expected = format!("{} inputs and at least {} outputs", sequences.len() + states.len(), states.len());
            return Err(error(format!("expected a body of {expected}, found {} and {}", inputs.len(), outputs.len())));
        }
        let mut length: Option<Dim> = None;
        for (place, value) in sequences.iter().chain(states).enumerate() {
            let mut given = self.value_type(*value)?.clone();
            let state = place.checked_sub(sequences.len());
            if state.is_none() {
                if given.shape.is_empty() {
                    return Err(error(format!("expected a first axis to run over, found none at input {place}")));
                }
                let first = given.shape.remove(0);
                if length.get_or_insert_with(|| first.clone()) != &first {
                    return Err(error(format!("expected sequences of one length, found {length:?} and {first:?}")));
                }
            }
            let next = state.map_or(&given, |state| outputs[results + state]);
            if *inputs[place] != given || *next != given {
                return Err(error(format!("expected {given:?} at place {place} of the body, found {:?} and {next:?}", inputs[place])));
            }
        }
        // ONNX has states first, on both sides.
        let mut graph = body.graph("", &mut None);
        graph.input.rotate_left(sequences.len());
        graph.output.rotate_left(results);
        prefix(&mut graph, &format!("{}/", body.name));
        let made = outputs[results..].iter().map(|ty| (*ty).clone()).chain(outputs[..results].iter().map(|ty| {
            let shape = length.iter().chain(&ty.shape).cloned().collect();
            ValueType { dtype: ty.dtype, shape }
        }));
        let made: Vec<Output> = made.map(|ty| Output { ty, known: None }).collect();
        let node = Node::new("Scan")
            .inputs(&[states, sequences].concat())
            .outputs(made.len())
            .attr("num_scan_inputs", sequences.len() as i64)
            .attr("body", Attribute::Graph(Box::new(graph)));
        let slot = self.slot(&node)?;
        let mut values = self.place(node, slot, made);
        values.rotate_left(states.len());
        Ok(values)
    }
}

/// Names a graph's values and nodes anew, since those of the graph around it may not come again inside, and leaves their shapes
/// to be inferred.
fn prefix(graph: &mut GraphProto, with: &str) {
    let add = |name: &mut String| {
        if !name.is_empty() {
            name.insert_str(0, with);
        }
    };
    for node in &mut graph.node {
        node.name.iter_mut().chain(&mut node.input).chain(&mut node.output).for_each(add);
    }
    graph.initializer.iter_mut().filter_map(|tensor| tensor.name.as_mut()).for_each(add);
    for info in graph.input.iter_mut().chain(&mut graph.output).chain(&mut graph.value_info) {
        info.name.iter_mut().for_each(add);
        // Runtimes infer shapes inside from those outside; tract takes a free axis inside for another one than outside.
        if let Some(Kind::TensorType(tensor)) = info.r#type.as_mut().and_then(|ty| ty.value.as_mut()) {
            tensor.shape = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Graph, Value};
    use crate::error::Result;
    use zoo_core::{DType, Dim};

    /// `sum + x` of one step: input `x [2]`, state `sum [2]`; outputs the sum twice, as a result and as the next state.
    fn adder(opset: u32) -> Graph {
        let mut body = Graph::with_opset("adder", opset).unwrap();
        let x = body.input("x", DType::F32, [Dim::from(2)]).unwrap();
        let sum = body.input("sum", DType::F32, [Dim::from(2)]).unwrap();
        let next = body.node("Add", &[sum, x], []).unwrap();
        body.output("result", next).unwrap();
        let again = body.node("Identity", &[next], []).unwrap();
        body.output("next", again).unwrap();
        body
    }

    fn scan(body: &Graph, sequences: &[&[Dim]], states: &[(DType, &[Dim])]) -> Result<(Graph, Vec<Value>)> {
        let mut graph = Graph::with_opset("outer", 17)?;
        let mut input = |name: String, dtype, shape: &[Dim]| graph.input(&name, dtype, shape.iter().cloned());
        let given: Vec<Value> =
            sequences.iter().enumerate().map(|(i, shape)| input(format!("s{i}"), DType::F32, shape)).collect::<Result<_>>()?;
        let states: Vec<Value> =
            states.iter().enumerate().map(|(i, (dtype, shape))| input(format!("h{i}"), *dtype, shape)).collect::<Result<_>>()?;
        let values = graph.scan(body, &given, &states)?;
        Ok((graph, values))
    }

    #[test]
    fn results_get_the_length_and_states_keep_their_type() {
        let (graph, values) = scan(&adder(17), &[&[Dim::from("steps"), Dim::from(2)]], &[(DType::F32, &[Dim::from(2)])]).unwrap();
        let shapes: Vec<_> = values.iter().map(|v| graph.value_type(*v).unwrap().shape.clone()).collect();
        assert_eq!(shapes, [vec![Dim::from("steps"), Dim::from(2)], vec![Dim::from(2)]]);
    }

    #[test]
    fn what_is_no_step_is_refused_by_name() {
        let (two, steps) = (Dim::from(2), Dim::from("steps"));
        let sequence: &[Dim] = &[steps.clone(), two.clone()];
        let state = (DType::F32, std::slice::from_ref(&two));
        let said = |body: &Graph, sequences: &[&[Dim]], states: &[(DType, &[Dim])]| scan(body, sequences, states).unwrap_err().to_string();
        let good = adder(17);
        for (error, reason) in [
            (said(&adder(16), &[sequence], &[state]), "expected opset 17, found 16"),
            (said(&good, &[], &[state]), "expected a body of 1 inputs"),
            (said(&good, &[sequence, sequence], &[state]), "expected a body of 3 inputs and at least 1 outputs, found 2 and 2"),
            (said(&good, &[&[]], &[state]), "expected a first axis to run over, found none at input 0"),
            (said(&good, &[&[steps, Dim::from(3)]], &[state]), "at place 0 of the body"),
            (said(&good, &[sequence], &[(DType::F64, std::slice::from_ref(&two))]), "at place 1 of the body"),
        ] {
            assert!(error.contains("scan over `adder`") && error.contains(reason), "{error}");
        }
        // Two sequences of different lengths, in a body without states.
        let mut pair = Graph::with_opset("pair", 17).unwrap();
        let inputs = ["a", "b"].map(|name| pair.input(name, DType::F32, [two.clone()]).unwrap());
        let sum = pair.node("Add", &inputs, []).unwrap();
        pair.output("sum", sum).unwrap();
        let error = said(&pair, &[sequence, &[Dim::from(5), two.clone()]], &[]);
        assert!(error.contains("expected sequences of one length"), "{error}");
    }
}
