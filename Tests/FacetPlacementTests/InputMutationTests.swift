import FacetPlacement
import Testing

/// Text that no person would write: it is read or refused in one short line, and nothing crashes.
@Suite("Mutated options")
struct InputMutationTests {
    /// A sequence of numbers that is the same on every machine.
    struct Generator: RandomNumberGenerator {
        var state: UInt64
        mutating func next() -> UInt64 {
            state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
            return (state >> 33) ^ (state << 31)
        }
    }

    private static let seeds = [
        "0=20GiB,1=22GiB,cpu=64GiB", "cpu:0=2GiB,cpu:1=1GiB", "cuda:0,1", "vision=stream,decoder=0-1", "2x RTX 4090",
        "24GiB,12GiB,8GiB", "GPU-8932f937,GPU-0f", "MIG-GPU-8932/1/2", "0,2,-1,1", "0000:65:00.0", "stream:1",
    ]
    private static let alphabet = Array(
        "0123456789,=:+-xX. \n\u{0}\u{85}é×GPUMIGgibcudapstrem/\u{1F600}٣".unicodeScalars)

    private static func mutated(_ text: String, _ generator: inout Generator) -> String {
        var scalars = Array(text.unicodeScalars)
        for _ in 0...Int.random(in: 0...4, using: &generator) {
            let place = scalars.isEmpty ? 0 : Int.random(in: 0..<scalars.count, using: &generator)
            let scalar = alphabet[Int.random(in: alphabet.indices, using: &generator)]
            switch Int.random(in: 0..<4, using: &generator) {
            case 0: scalars.insert(scalar, at: place)
            case 1 where !scalars.isEmpty: scalars.remove(at: place)
            case 2 where !scalars.isEmpty: scalars[place] = scalar
            default: scalars += scalars.prefix(20)
            }
        }
        return String(String.UnicodeScalarView(scalars))
    }

    @Test("20,000 mutations are read or refused in one line")
    func mutations() {
        var generator = Generator(state: 7)
        let cards = [PhysicalCard(uuid: "GPU-8932f937", pciID: "0000:65:00.0", speed: 1)]
        var refusals = 0
        for round in 0..<20_000 {
            let text = Self.mutated(Self.seeds[round % Self.seeds.count], &generator)
            let readers: [() throws -> Void] = [
                { _ = try ByteSize.parse(text, input: "size") },
                { _ = try MaxMemory(parsing: text) },
                { _ = try DeviceSpec(parsing: text) },
                { _ = try PlaceSpec.parse(text) },
                { _ = try CardList(parsing: text, known: ["RTX 4090", "T4"]) },
                { _ = try DeviceMap.Place(parsing: text, key: text, input: "map") },
                { try VisibleDevices(parsing: text, cards: cards, acceptsPCI: true).check() },
                { _ = try DeviceOrder(parsing: text) },
            ]
            for read in readers {
                do { try read() } catch {
                    refusals += 1
                    let sentence = "\(error)"
                    #expect(!sentence.contains("\n") && sentence.hasSuffix("."), "\(text): \(sentence)")
                    #expect(sentence.count < 600, "\(text): \(sentence)")
                }
            }
        }
        #expect(refusals > 20_000)
    }

    @Test("a long hostile name costs no time")
    func longName() {
        let name = String(repeating: "x", count: 1 << 20)
        let start = ContinuousClock.now
        #expect(throws: PlacementInputError.self) { try PlaceSpec.parse("\(name)=1") }
        #expect(throws: PlacementInputError.self) { try MaxMemory(parsing: "\(name)=1GiB") }
        #expect(throws: PlacementInputError.self) { try CardList(parsing: name, known: ["RTX 4090"]) }
        #expect(ContinuousClock.now - start < .seconds(5))
    }
}
