"""Print the signatures of the operators that the writer knows, for opsets 13 to 20.

One line a version of an operator, fields separated by `|`:
name and first opset; inputs; outputs; type variables; attributes. A `?` marks what is optional, a `*` a variadic
input or output, a `!` an attribute that must be given. Element types the zoo has no tensors for are left out.
"""

import sys

import onnx.defs

FIRST, LAST = 13, 20
OPERATORS = """
Abs Add And ArgMax AveragePool BatchNormalization Cast Ceil Clip Concat Constant ConstantOfShape Conv ConvTranspose Cos
CumSum Div Einsum Elu Equal Erf Exp Expand Flatten Floor Gather Gelu Gemm GlobalAveragePool GlobalMaxPool Greater
GreaterOrEqual GridSample Identity InstanceNormalization LSTM LayerNormalization LeakyRelu Less LessOrEqual Log LogSoftmax MatMul Max
MaxPool Min Mul Neg Not Or Pad Pow Range Reciprocal ReduceMax ReduceMean ReduceMin ReduceSum Relu Reshape Resize Round
Shape Sigmoid Sign Sin Slice Softmax Softplus Split Sqrt Squeeze Sub Tanh Tile TopK Transpose Unsqueeze Where
""".split()
DTYPES = {
    "bool": "bool", "int8": "i8", "uint8": "u8", "int16": "i16", "uint16": "u16", "int32": "i32", "uint32": "u32",
    "int64": "i64", "uint64": "u64", "float16": "f16", "bfloat16": "bf16", "float": "f32", "double": "f64",
}
MARK = {"Single": "", "Optional": "?", "Variadic": "*"}


def dtype(text):
    return DTYPES.get(text.removeprefix("tensor(").removesuffix(")"))


def formal(parameter):
    mark = MARK[parameter.option.name]
    return f"{parameter.name}{mark}:{dtype(parameter.type_str) or parameter.type_str}"


def line(schema):
    types = []
    for constraint in schema.type_constraints:
        known = {dtype(t) for t in constraint.allowed_type_strs} - {None}
        types.append(f"{constraint.type_param_str}={','.join(d for d in DTYPES.values() if d in known)}")
    attributes = [
        f"{a.name}:{a.type.name.lower()}{'!' if a.required else ''}" for a in sorted(schema.attributes.values(), key=lambda a: a.name)
    ]
    fields = [map(formal, schema.inputs), map(formal, schema.outputs), sorted(types), attributes]
    return " | ".join([f"{schema.name} {schema.since_version}", *(" ".join(field) for field in fields)])


def main():
    history = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "" and schema.name in OPERATORS and schema.since_version <= LAST:
            history.setdefault(schema.name, {})[schema.since_version] = schema
    missing = set(OPERATORS) - history.keys()
    if missing:
        sys.exit(f"no such operators: {sorted(missing)}")
    for name in sorted(history):
        versions = sorted(history[name])
        current = max((v for v in versions if v <= FIRST), default=None)
        for version in versions:
            if version == current or version > FIRST:
                print(line(history[name][version]))


if __name__ == "__main__":
    main()
