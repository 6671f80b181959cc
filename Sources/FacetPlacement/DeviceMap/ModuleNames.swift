/// The module names of a model as its checkpoint spells them: what the keys of a device map are checked against.
///
/// Names form a tree: `a.b.c` lies below `a.b`, and the empty name is the root.
public struct ModuleNames: Sendable {
    /// One tensor.
    public struct Tensor: Sendable, Hashable {
        /// Its name in the checkpoint.
        public let name: String
        /// The unit that uses it.
        public let unit: UnitName
        /// Whether it goes wherever its unit goes, whatever a map says: a few rows that other libraries hold as
        /// modules of their own, or a table that is computed instead of read.
        public let isFollower: Bool

        /// Names a tensor.
        public init(_ name: String, _ unit: UnitName, isFollower: Bool = false) {
            self.name = name
            self.unit = unit
            self.isFollower = isFollower
        }
    }

    /// Layers of the vision tower.
    public let visionLayerCount: Int

    /// Layers of the decoder.
    public let decoderLayerCount: Int

    /// The tensors, as given.
    public let tensors: [Tensor]

    /// For each module, tensors included, the tensors in and below it.
    private let tensorsOfModule: [String: [Int]]

    /// Arranges the tensors of a model.
    ///
    /// - Precondition: every unit of both chains has a tensor that is no follower; otherwise no map could place it.
    public init(_ tensors: [Tensor]) {
        var tensorsOfModule: [String: [Int]] = [:]
        var layers = (vision: 0, decoder: 0)
        for (index, tensor) in tensors.enumerated() {
            for module in Self.ancestors(of: tensor.name) { tensorsOfModule[module, default: []].append(index) }
            switch tensor.unit {
            case .visionLayer(let layer): layers.vision = max(layers.vision, layer + 1)
            case .decoderLayer(let layer): layers.decoder = max(layers.decoder, layer + 1)
            default: break
            }
        }
        self.tensors = tensors
        self.tensorsOfModule = tensorsOfModule
        visionLayerCount = layers.vision
        decoderLayerCount = layers.decoder
        let named = Set(tensors.filter { !$0.isFollower }.map(\.unit))
        precondition(units.allSatisfy(named.contains), "every unit of both chains has a tensor")
    }

    /// Both chains.
    public var units: [UnitName] {
        UnitName.visionChain(layerCount: visionLayerCount) + UnitName.decoderChain(layerCount: decoderLayerCount)
    }

    /// Every name that a key may have.
    var names: some Collection<String> { tensorsOfModule.keys }

    /// Whether there is such a module or tensor.
    func contains(_ name: String) -> Bool { tensorsOfModule[name] != nil }

    /// The modules that together hold exactly one unit, the largest first.
    func modules(of unit: UnitName) -> [String] {
        var found: [String] = []
        for tensor in tensors where tensor.unit == unit {
            let own = Self.ancestors(of: tensor.name).first { module in
                (tensorsOfModule[module] ?? []).allSatisfy { tensors[$0].unit == unit }
            }
            if let own, !found.contains(own) { found.append(own) }
        }
        return found
    }

    /// The modules directly below one, in the order of their first tensors.
    func children(of module: String) -> [String] {
        var found: [String] = []
        var seen: Set<String> = []
        for index in tensorsOfModule[module] ?? [] {
            let path = Self.ancestors(of: tensors[index].name)
            guard let depth = path.firstIndex(of: module), depth + 1 < path.count else { continue }
            if seen.insert(path[depth + 1]).inserted { found.append(path[depth + 1]) }
        }
        return found
    }

    /// Places in `tensors` of those in and below a module.
    func tensors(of module: String) -> [Int] { tensorsOfModule[module] ?? [] }

    /// The empty name, the modules around a name from the outside, and the name itself.
    static func ancestors(of name: String) -> [String] {
        var result = [""]
        var end = name.startIndex
        while let dot = name[end...].firstIndex(of: ".") {
            result.append(String(name[..<dot]))
            end = name.index(after: dot)
        }
        result.append(name)
        return result
    }
}
