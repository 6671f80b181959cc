import FacetCheckpoint
import FacetPlacement
import FacetQuantization
import FacetTensor

/// How far a conversion is.
public struct ConversionProgress: Sendable, Hashable {
    /// Bytes of the original that have been converted.
    public let finishedByteCount: Int
    /// Bytes of the original.
    public let totalByteCount: Int
}

/// What a conversion did to one part of the model.
public struct ConvertedPart: Sendable, Hashable {
    /// The part.
    public let part: ModelPart
    /// Bytes of its tensors before.
    public internal(set) var byteCountBefore = 0
    /// Bytes of its tensors after.
    public internal(set) var byteCountAfter = 0
    /// The largest root mean square error of a tensor, relative to the tensor; 0 where nothing changed.
    public internal(set) var worstError = 0.0
    /// The tensor with this error.
    public internal(set) var worstTensor: String?
}

/// Writes the folder of a model again with its weights stored in other precisions.
///
/// Shards keep their names. A tensor is read, converted and written in blocks of rows, so that the memory that is
/// taken does not grow with the model. The folder appears under its name when everything in it is on disk.
public struct CheckpointConversion {
    private let checkpoint: Checkpoint
    private let folder: String
    private let quantization: ModelQuantization?
    private let files: [(file: SafetensorsFile, steps: [ConversionStep])]
    private let choice: ConversionChoice

    /// Decides what becomes of every tensor; reads headers only.
    ///
    /// - Throws: `.alreadyQuantized`, and what is wrong with the folder.
    public init(folder: String, choice: ConversionChoice) throws(ModelError) {
        let checkpoint = try mappingCheckpointError { () throws(CheckpointError) in try Checkpoint(folder: folder) }
        let path = folder + "/" + GLM4VConfiguration.fileName
        let recipe = try mappingCheckpointError { () throws(CheckpointError) in
            try FileContents.bytes(of: path, limit: 16 << 20)
        }
        let configuration = try GLM4VConfiguration(parsing: recipe, file: path)
        guard configuration.quantization == nil else { throw .alreadyQuantized(source: folder) }
        let inventory = try ModelInventory(configuration)
        try InventoryReport(inventory, checkpoint).check()
        let declarations = Dictionary(inventory.declarations.map { ($0.name, $0) }) { first, _ in first }
        let files = checkpoint.files.map { file in
            let own = checkpoint.tensors.filter { $0.file === file }
            return (file: file, steps: own.map { Self.step($0, declarations[$0.name], choice) })
        }
        quantization = try configuration.quantized(choice.precisions)?.quantization?.ignoringTheRest(inventory)
        self.checkpoint = checkpoint
        self.files = files
        self.folder = folder
        self.choice = choice
    }

    private static func step(
        _ tensor: CheckpointTensor, _ declaration: WeightDeclaration?, _ choice: ConversionChoice
    ) -> ConversionStep {
        guard let declaration else { return ConversionStep(tensor: tensor, part: nil, change: .none) }
        let part = declaration.unit.part
        guard let precision = choice[declaration.unit.kind] else {
            return ConversionStep(tensor: tensor, part: part, change: .none)
        }
        if let scheme = QuantizationScheme(precision) {
            let change: ConversionStep.Change = declaration.isQuantizable ? .quantize(scheme) : .none
            return ConversionStep(tensor: tensor, part: part, change: change)
        }
        let dtype: DType = precision == .float32 ? .float32 : precision == .float16 ? .float16 : .bfloat16
        let isSame = tensor.dtype == SafetensorsDType(dtype)
        return ConversionStep(tensor: tensor, part: part, change: isSame ? .none : .convert(dtype))
    }

    /// Bytes of the original.
    public var byteCount: Int { checkpoint.byteCount }

    /// Converts everything.
    ///
    /// - Parameters:
    ///   - output: the folder to make; must not exist, or be empty.
    ///   - progress: called after every block; ends the conversion by throwing. Nothing is left then.
    /// - Returns: what happened to each part.
    /// - Throws: `.checkpoint` with what reading or writing met, `.loadingCancelled`.
    public func write(
        to output: String, progress: (ConversionProgress) throws(ModelError) -> Void
    ) throws(ModelError) -> [ConvertedPart] {
        var report = ModelPart.allCases.map { ConvertedPart(part: $0) }
        var target = try mappingCheckpointError { () throws(CheckpointError) in try OutputFolder(output) }
        var finished = 0
        for (file, steps) in files {
            let name = String(file.name.split(separator: "/").last ?? "model.safetensors")
            let items = steps.flatMap(\.items)
            var writer = try mappingCheckpointError { () throws(CheckpointError) in
                try SafetensorsWriter(path: target.path(of: name), items: items, metadata: file.metadata)
            }
            for step in steps {
                let start = finished
                let loss = try TensorConversion(step).write(to: &writer) { (done) throws(ModelError) in
                    try progress(ConversionProgress(finishedByteCount: start + done, totalByteCount: byteCount))
                }
                finished += step.tensor.byteCount
                checkpoint.advise(.dontNeed, tensors: [step.tensor.name])
                for index in report.indices where report[index].part == step.part { report[index].add(step, loss) }
            }
            do { try writer.finish() } catch { throw .checkpoint(error) }
        }
        do throws(CheckpointError) {
            try writeOtherFiles(target)
            try target.commit()
        } catch { throw .checkpoint(error) }
        return report
    }

    private func writeOtherFiles(_ target: borrowing OutputFolder) throws(CheckpointError) {
        let isSharded = files.count > 1 || files[0].file.name.split(separator: "/").last != "model.safetensors"
        if isSharded { try writeIndex(target) }
        for name in try Checkpoint.otherFiles(in: folder) where name != GLM4VConfiguration.fileName {
            try target.copy(name, from: folder)
        }
        let recipe = try FileContents.json(of: folder + "/" + GLM4VConfiguration.fileName)
        var file = try AtomicFile(target.path(of: GLM4VConfiguration.fileName))
        try file.write(ConvertedRecipe.text(recipe, quantization, torchDType: publishedDType))
        try file.commit()
    }

    /// The type that the new folder's configuration names; nil to leave it.
    private var publishedDType: DType? {
        guard choice.vision == choice.decoder, choice.decoder == choice.output else { return nil }
        switch choice.decoder {
        case .float32: return .float32
        case .bfloat16: return .bfloat16
        case .float16: return .float16
        default: return nil
        }
    }

    private func writeIndex(_ target: borrowing OutputFolder) throws(CheckpointError) {
        var entries: [(name: String, shard: String, byteCount: Int)] = []
        for (file, steps) in files {
            let shard = String(file.name.split(separator: "/").last ?? "")
            entries += steps.flatMap(\.items).map { ($0.name, shard, $0.byteCount) }
        }
        var file = try AtomicFile(target.path(of: CheckpointIndex.fileName))
        try file.write(
            ConvertedRecipe.index(
                entries.map { ($0.name, $0.shard) }, byteCount: entries.reduce(0) { $0 + $1.byteCount }))
        try file.commit()
    }
}

extension ConvertedPart {
    fileprivate mutating func add(_ step: ConversionStep, _ loss: QuantizationLoss) {
        byteCountBefore += step.tensor.byteCount
        byteCountAfter += step.items.reduce(0) { $0 + $1.byteCount }
        if loss.relativeError > worstError {
            worstError = loss.relativeError
            worstTensor = step.tensor.name
        }
    }
}

/// Runs work on files and reports its failure as this module's error.
func mappingCheckpointError<T: ~Copyable>(_ work: () throws(CheckpointError) -> T) throws(ModelError) -> T {
    do { return try work() } catch { throw .checkpoint(error) }
}
