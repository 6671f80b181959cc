import ArgumentParser

@main
struct Facet: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Ask GLM-4V about a picture.")
}
