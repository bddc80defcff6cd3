package io.escrow.testing;

import static com.tngtech.archunit.base.DescribedPredicate.describe;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noMethods;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.ArchConfiguration;
import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.domain.JavaMember;
import com.tngtech.archunit.core.domain.JavaModifier;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.lang.ArchCondition;
import com.tngtech.archunit.lang.ConditionEvents;
import com.tngtech.archunit.lang.SimpleConditionEvent;
import com.tngtech.archunit.library.dependencies.SliceAssignment;
import com.tngtech.archunit.library.dependencies.SliceIdentifier;
import java.nio.file.Path;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.function.Function;

/**
 * The packages of a module, and which packages of this project each of them may use. Every package of the module must be
 * named, and neither packages nor classes may depend on each other in a circle.
 */
public final class PackageRules {

    private static final String PROJECT = "io.escrow";

    private final JavaClasses module = importModule();
    private final Map<String, Set<String>> uses = new LinkedHashMap<>();
    private final Map<String, String> pairs = new HashMap<>();

    /** Imports the classes of the module, but not those of others, of which the names are enough. */
    private static JavaClasses importModule() {
        ArchConfiguration.get().setResolveMissingDependenciesFromClassPath(false);
        return new ClassFileImporter().importPath(Path.of("target/classes"));
    }

    /** Fails if a test of the module is disabled for good: nobody would notice that it is not run. */
    public static void checkNoTestIsDisabled() {
        JavaClasses tests = new ClassFileImporter().importPath(Path.of("target/test-classes"));
        String disabled = "org.junit.jupiter.api.Disabled";
        noClasses().should().beAnnotatedWith(disabled).check(tests);
        noMethods().should().beAnnotatedWith(disabled).check(tests);
    }

    /**
     * Names a package.
     *
     * @param name the package
     * @param used the packages of this project that it may use, besides itself
     * @return these rules
     */
    public PackageRules allow(String name, String... used) {
        Set<String> all = new TreeSet<>(List.of(used));
        all.add(name);
        uses.put(name, all);
        return this;
    }

    /**
     * Lets two classes depend on each other: one idea in two files.
     *
     * @param one a class
     * @param other the other class
     * @return these rules
     */
    public PackageRules allowPair(Class<?> one, Class<?> other) {
        return allowPair(one.getName(), other.getName());
    }

    /**
     * Lets two classes depend on each other that are hidden in their package.
     *
     * @param one the full name of a class
     * @param other the full name of the other class
     * @return these rules
     */
    public PackageRules allowPair(String one, String other) {
        pairs.put(one, one);
        pairs.put(other, one);
        return this;
    }

    /** Fails unless each package is named and uses nothing but what it may. */
    public void checkDirections() {
        classes()
                .should()
                .resideInAnyPackage(uses.keySet().toArray(String[]::new))
                .check(module);
        uses.forEach((name, used) -> classes()
                .that()
                .resideInAPackage(name)
                .should()
                .onlyDependOnClassesThat(areIn(used))
                .check(module));
    }

    private static DescribedPredicate<JavaClass> areIn(Set<String> used) {
        return describe("are in " + String.join(", ", used) + " or in other projects", type -> {
            String name = type.getBaseComponentType().getPackageName();
            return used.contains(name) || !(name.equals(PROJECT) || name.startsWith(PROJECT + "."));
        });
    }

    /** Fails if there is a circle of packages. */
    public void checkNoCircleOfPackages() {
        checkNoCircle("packages", JavaClass::getPackageName);
    }

    /** Fails if there is a circle of classes other than an allowed pair; a nested class counts as the class around it. */
    public void checkNoCircleOfClasses() {
        checkNoCircle("classes", type -> {
            String outermost = type.getName().replaceFirst("\\$.*", "");
            return pairs.getOrDefault(outermost, outermost);
        });
    }

    /**
     * Fails if a public class of the API has a public or protected member that mentions an internal type.
     *
     * @param api the packages of this project that are API
     */
    public void checkApi(String... api) {
        classes()
                .that()
                .resideInAnyPackage(api)
                .and()
                .arePublic()
                .should(mentionOnly(Set.of(api)))
                .check(module);
    }

    private static ArchCondition<JavaClass> mentionOnly(Set<String> api) {
        return new ArchCondition<>("mention only types of the API") {
            @Override
            public void check(JavaClass type, ConditionEvents events) {
                for (JavaMember member : type.getMembers()) {
                    if (isVisible(member)) {
                        member.getAllInvolvedRawTypes().stream()
                                .filter(areIn(api).negate())
                                .forEach(used -> events.add(SimpleConditionEvent.violated(
                                        member, member.getFullName() + " mentions " + used.getName())));
                    }
                }
            }
        };
    }

    private static boolean isVisible(JavaMember member) {
        return member.getModifiers().contains(JavaModifier.PUBLIC)
                || member.getModifiers().contains(JavaModifier.PROTECTED);
    }

    private void checkNoCircle(String what, Function<JavaClass, String> slice) {
        slices().assignedFrom(new SliceAssignment() {
                    @Override
                    public SliceIdentifier getIdentifierOf(JavaClass type) {
                        return SliceIdentifier.of(slice.apply(type));
                    }

                    @Override
                    public String getDescription() {
                        return what;
                    }
                })
                .should()
                .beFreeOfCycles()
                .check(module);
    }
}
