import FacetModel
import FacetPlacement
import Foundation

/// Plans GLM-4V-9B on a few machines for every objective and prints the times of one thread as JSON.
@main
struct PlacementBench {
    static func main() throws {
        let rounds = CommandLine.arguments.dropFirst().first.flatMap(Int.init) ?? 9
        let model = try GLM4VConfiguration.glm4v9b.modelDescription()
        var lines: [String] = []
        for (name, cards) in machines {
            for objective in Objective.allCases {
                let request = request(model, cards, objective)
                let times = (0..<rounds).map { _ in milliseconds { _ = try? Planner.plan(request) } }.sorted()
                lines.append(
                    "  {\"machine\": \"\(name)\", \"objective\": \"\(objective.rawValue)\", \"median_ms\": "
                        + "\(rounded(times[rounds / 2])), \"min_ms\": \(rounded(times[0])), "
                        + "\"max_ms\": \(rounded(times[rounds - 1]))}")
            }
        }
        print("[\n" + lines.joined(separator: ",\n") + "\n]")
    }

    /// Cards by GiB and nominal name.
    private static let machines: [(String, [String])] = [
        ("1 card", ["A100"]),
        ("2 equal", ["RTX 4090", "RTX 4090"]),
        ("4 equal", ["RTX 2080 Ti", "RTX 2080 Ti", "RTX 2080 Ti", "RTX 2080 Ti"]),
        ("4 unlike", ["RTX 4090", "RTX 3060", "RTX 4060", "T4"]),
        ("8 of two kinds", Array(repeating: "RTX 4060", count: 4) + Array(repeating: "RTX 3060", count: 4)),
        ("8 unlike", ["RTX 4090", "RTX 3090", "RTX 3080", "RTX 3060", "RTX 4060", "RTX 2080 Ti", "T4", "V100 16GB"]),
    ]

    private static func request(_ model: ModelDescription, _ cards: [String], _ objective: Objective) -> PlanRequest {
        let devices = cards.compactMap { KnownCard.named($0)?.profile(contextBytes: 512 << 20) }
        return PlanRequest(
            model: model, precision: PrecisionChoice(.bfloat16), workload: Workload(sequences: 2),
            machine: Machine(name: "bench", devices: devices), objective: objective)
    }

    private static func milliseconds(_ body: () -> Void) -> Double {
        let start = clock()
        body()
        return Double(clock() - start) * 1000 / Double(CLOCKS_PER_SEC)
    }

    private static func rounded(_ value: Double) -> String { String(format: "%.2f", value) }
}
