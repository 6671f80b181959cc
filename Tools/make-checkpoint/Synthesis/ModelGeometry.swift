package import FacetCheckpoint
package import FacetJSON

/// The sizes in a GLM-4V `config.json` that decide which tensors a checkpoint has, and of which shapes.
package struct ModelGeometry: Sendable, Hashable {
    package let layerCount: Int
    package let hiddenSize: Int
    package let intermediateSize: Int
    package let headCount: Int
    package let headDimension: Int
    package let groupCount: Int
    package let vocabularyRowCount: Int
    /// Id of the first special token, which is the number of ranks of the vocabulary.
    package let rankCount: Int
    /// Ids that end an answer.
    package let stopTokenIDs: [Int]
    package let contextLength: Int

    package let visionLayerCount: Int
    package let visionHiddenSize: Int
    package let visionIntermediateSize: Int
    package let patchSize: Int
    package let imageSize: Int
    package let channelCount: Int
    package let positionCount: Int

    /// Reads the sizes of a configuration.
    ///
    /// - Throws: `.missingValue`, `.invalidValue`.
    package init(_ configuration: JSONValue) throws(SynthesisError) {
        func count(_ key: String, in object: JSONValue, _ prefix: String = "") throws(SynthesisError) -> Int {
            guard let value = object[key] else { throw .missingValue(key: prefix + key) }
            guard let count = value.integer, 1...1 << 30 ~= count else {
                throw .invalidValue(key: prefix + key, expected: "an integer above 0", got: value.text)
            }
            return count
        }
        guard let vision = configuration["vision_config"] else { throw .missingValue(key: "vision_config") }
        layerCount = try count("num_layers", in: configuration)
        hiddenSize = try count("hidden_size", in: configuration)
        intermediateSize = try count("ffn_hidden_size", in: configuration)
        headCount = try count("num_attention_heads", in: configuration)
        headDimension = try count("kv_channels", in: configuration)
        groupCount = try count("multi_query_group_num", in: configuration)
        vocabularyRowCount = try count("padded_vocab_size", in: configuration)
        contextLength = try count("seq_length", in: configuration)
        visionLayerCount = try count("num_hidden_layers", in: vision, "vision_config.")
        visionHiddenSize = try count("hidden_size", in: vision, "vision_config.")
        visionIntermediateSize = try count("intermediate_size", in: vision, "vision_config.")
        patchSize = try count("patch_size", in: vision, "vision_config.")
        imageSize = try count("image_size", in: vision, "vision_config.")
        channelCount = try count("in_channels", in: vision, "vision_config.")
        positionCount = try count("num_positions", in: vision, "vision_config.")
        (rankCount, stopTokenIDs) = try Self.specialTokens(configuration, rowCount: vocabularyRowCount)
    }

    private static func specialTokens(
        _ configuration: JSONValue, rowCount: Int
    ) throws(SynthesisError) -> (Int, [Int]) {
        guard let value = configuration["eos_token_id"] else { throw .missingValue(key: "eos_token_id") }
        let ids = (value.array ?? [value]).compactMap(\.integer)
        let endIDs = SpecialTokens.names.count
        guard let first = ids.min(), first >= 256, first + endIDs <= rowCount else {
            throw .invalidValue(
                key: "eos_token_id", expected: "ids from 256 to \(rowCount - endIDs), below padded_vocab_size",
                got: value.text)
        }
        return (first, ids)
    }
}

extension ModelGeometry {
    /// All tensors in the order of the published checkpoint, bf16.
    package var tensors: [SafetensorsWriter.Item] {
        var list = TensorList()
        list.add("embedding.word_embeddings.weight", vocabularyRowCount, hiddenSize)
        list.add("rotary_pos_emb.inv_freq", headDimension / 4)
        for layer in 0..<layerCount { addDecoderLayer("encoder.layers.\(layer).", to: &list) }
        list.add("encoder.final_layernorm.weight", hiddenSize)
        list.add("output_layer.weight", vocabularyRowCount, hiddenSize)
        list.add("vision.boi", 1, 1, hiddenSize)
        list.add("vision.eoi", 1, 1, hiddenSize)
        list.add("vision.patch_embedding.cls_embedding", 1, visionHiddenSize)
        list.addWithBias("vision.patch_embedding.proj", visionHiddenSize, channelCount, patchSize, patchSize)
        list.add("vision.patch_embedding.position_embedding.weight", positionCount, visionHiddenSize)
        for layer in 0..<visionLayerCount { addVisionLayer("vision.transformer.layers.\(layer).", to: &list) }
        list.add("vision.linear_proj.linear_proj.weight", hiddenSize, hiddenSize)
        list.addWithBias("vision.linear_proj.norm1", hiddenSize)
        list.add("vision.linear_proj.dense_h_to_4h.weight", intermediateSize, hiddenSize)
        list.add("vision.linear_proj.gate_proj.weight", intermediateSize, hiddenSize)
        list.add("vision.linear_proj.dense_4h_to_h.weight", hiddenSize, intermediateSize)
        list.addWithBias("vision.conv", hiddenSize, visionHiddenSize, 2, 2)
        return list.items
    }

    private func addDecoderLayer(_ prefix: String, to list: inout TensorList) {
        let queryWidth = headCount * headDimension
        list.add(prefix + "input_layernorm.weight", hiddenSize)
        list.addWithBias(
            prefix + "self_attention.query_key_value", queryWidth + 2 * groupCount * headDimension, hiddenSize)
        list.add(prefix + "self_attention.dense.weight", hiddenSize, queryWidth)
        list.add(prefix + "post_attention_layernorm.weight", hiddenSize)
        list.add(prefix + "mlp.dense_h_to_4h.weight", 2 * intermediateSize, hiddenSize)
        list.add(prefix + "mlp.dense_4h_to_h.weight", hiddenSize, intermediateSize)
    }

    private func addVisionLayer(_ prefix: String, to list: inout TensorList) {
        list.addWithBias(prefix + "input_layernorm", visionHiddenSize)
        list.addWithBias(prefix + "attention.query_key_value", 3 * visionHiddenSize, visionHiddenSize)
        list.addWithBias(prefix + "attention.dense", visionHiddenSize, visionHiddenSize)
        list.addWithBias(prefix + "mlp.fc1", visionIntermediateSize, visionHiddenSize)
        list.addWithBias(prefix + "mlp.fc2", visionHiddenSize, visionIntermediateSize)
        list.addWithBias(prefix + "post_attention_layernorm", visionHiddenSize)
    }
}

/// Collects tensors; every name gets the prefix that all names of this model have.
private struct TensorList {
    private(set) var items: [SafetensorsWriter.Item] = []

    mutating func add(_ name: String, _ shape: Int...) {
        items.append(SafetensorsWriter.Item("transformer." + name, .bfloat16, shape))
    }

    /// Adds `name.weight` of a shape and `name.bias` as long as the weight's first dimension.
    mutating func addWithBias(_ name: String, _ outputs: Int, _ rest: Int...) {
        items.append(SafetensorsWriter.Item("transformer.\(name).weight", .bfloat16, [outputs] + rest))
        add(name + ".bias", outputs)
    }
}
